"""Reads the bodies of requests for predictions: within the budget, unpacked, and large ones off the event loop."""

import math
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from ekiben.contract.columns import Columns
from ekiben.service.batching.coalescer import PreparedRows
from ekiben.service.connections.decompression import MAX_RATIO, unpack
from ekiben.service.dataplane import Dataplane
from ekiben.service.errors import BadRequest
from ekiben.service.http.messages import Request
from ekiben.service.lifecycle.memory import trim_soon
from ekiben.service.offload import LARGE_BYTES, offload
from ekiben.service.settings import Settings

Rest = TypeVar("Rest")
Decode = Callable[[bytes], tuple[Any, Rest]]  # from a body to its rows and what else a protocol finds in it

CODINGS = frozenset({b"gzip", b"x-gzip", b"deflate"})


class BodyReader:
    """Reads the bodies of all protocols' requests."""

    def __init__(self, dataplane: Dataplane, settings: Settings, max_bytes: float = math.inf) -> None:
        """`max_bytes`: of a body, where the settings allow for more."""
        self._dataplane = dataplane
        self._max_bytes = int(min(max_bytes, settings.max_body_bytes))

    def take(self, request: Request, decode: Decode[Rest]) -> tuple[Any, Rest] | None:
        """Return the same as `read` if the body came with the head, and is small and not packed; else None."""
        body = request.body
        if body is None or len(body) > self._max_bytes:
            return None
        rows, rest = decode(body)
        if isinstance(rows, PreparedRows) and rows.ignored:
            request.ignored = rows.ignored
        return rows, rest

    async def read(self, request: Request, timeout_s: float, decode: Decode[Rest]) -> tuple[Any, Rest]:
        """Return the rows that `decode` finds in a body, of a large one encoded, and the rest it returns.

        Raises BadRequest if the body is too large, too slow or not packed as it says, Overloaded if there is no room
        for it, DeadlineExceeded if the time is over, InvalidInput, and what `decode` raises.
        """
        packed = b"content-encoding" in request.headers and is_packed(request)
        budget = self._dataplane.budget
        try:
            body = await request.read_body(self._max_bytes, timeout_s, budget)
            small: bytes | None = body
            if len(body) > LARGE_BYTES:
                small = None
            elif packed:
                small = unpack(body, LARGE_BYTES)
            if small is not None:
                rows, rest = decode(small)
            else:
                trim_soon()
                left_s = partial(request.left_s, timeout_s)
                rows, rest = await offload(self._decode_large, body, packed, decode, left_s)
            if isinstance(rows, PreparedRows) and rows.ignored:
                request.ignored = rows.ignored
            return rows, rest
        finally:
            if request.taken:
                budget.give(request.taken)
                request.taken = 0

    def _decode_large(
        self, body: bytes, packed: bool, decode: Decode[Rest], check_time: Callable[[], object]
    ) -> tuple[Any, Rest]:
        check_time()
        if packed:
            body = unpack_within_ratio(body, self._max_bytes, check_time)
        rows, rest = decode(body)
        return self._dataplane.prepare(rows, check_time) if isinstance(rows, list | Columns) else rows, rest


def is_packed(request: Request) -> bool:
    """Return whether the body is compressed; raise BadRequest if that is in no way that is known here."""
    coding = request.headers.get(b"content-encoding", b"identity")
    if coding == b"identity":
        return False
    if coding.strip().lower() not in CODINGS:
        shown = coding.decode("latin-1")
        raise BadRequest(415, f"content encoding {shown!r} is not supported: send gzip, deflate or none")
    return True


def unpack_within_ratio(body: bytes, max_bytes: int, check_time: Callable[[], object]) -> bytes:
    """Return what a gzip or deflate body holds; raise BadRequest if that is too much, for a body or for its size."""
    most = min(max_bytes, max(LARGE_BYTES, MAX_RATIO * len(body)))
    content = unpack(body, most, check_time)
    if content is None and most < max_bytes:
        raise BadRequest(413, f"the body unpacks to more than {MAX_RATIO} times its size: send it less compressed")
    if content is None:
        raise BadRequest(413, f"the body is larger than {max_bytes} bytes once unpacked: send fewer rows at once")
    return content
