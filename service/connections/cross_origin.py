"""Rejections that the pages of other origins may read: written once for each origin, chosen by the head's bytes."""

import re

from ekiben.service.connections.plain_post import MAX_HEAD
from ekiben.service.connections.rejections import write_rejection
from ekiben.service.http.cors import Cors
from ekiben.service.http.origins import ANY

ORIGIN = re.compile(rb"\r\norigin:[\t ]*([^\r\n]*?)[\t ]*\r\n", re.IGNORECASE)


class CrossOriginRejections:
    """Which rejection a request gets that is rejected unparsed."""

    def __init__(self, cors: Cors) -> None:
        self._others = write_rejection(cors.find_headers(None))
        self._by_origin = {
            origin: write_rejection(headers) for origin, headers in cors.origins.items() if origin != ANY.encode()
        }

    def choose(self, data: bytes) -> bytes:
        """Return the rejection of the request that the bytes are; without the setting that costs nothing."""
        if not self._by_origin:
            return self._others
        found = ORIGIN.search(data, 0, MAX_HEAD)  # what stands in a body can only name another one that may read it
        return self._by_origin.get(found[1], self._others) if found else self._others
