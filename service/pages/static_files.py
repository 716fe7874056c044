"""The page's files, read and packed once: a browser keeps them and asks whether they have changed."""

import gzip
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from ekiben.service.http.messages import Header, Request, Response
from ekiben.service.http.page_headers import allow_own_files, restrict_browser

FOLDER = Path(__file__).parent / "static"
TYPES = {".html": b"text/html", ".css": b"text/css", ".js": b"text/javascript", ".svg": b"image/svg+xml"}
# Kept, but asked for each time: a new release's files go together.
HEADERS: tuple[Header, ...] = (*restrict_browser(allow_own_files()), (b"cache-control", b"no-cache"))


@dataclass(frozen=True)
class StaticFile:
    """A file as it is sent."""

    content: bytes
    packed: bytes  # the same by gzip, a third of it
    content_type: bytes
    tag: bytes
    headers: tuple[Header, ...] = HEADERS

    def answer(self, request: Request) -> Response:
        """Return the file, or that the browser's copy is the same."""
        headers = (*self.headers, (b"etag", self.tag), (b"vary", b"accept-encoding"))
        if request.read_header(b"if-none-match") == self.tag:
            return Response(b"", headers, status=304, content_type=self.content_type)
        if b"gzip" in request.read_header(b"accept-encoding"):
            return Response(self.packed, (*headers, (b"content-encoding", b"gzip")), content_type=self.content_type)
        return Response(self.content, headers, content_type=self.content_type)


@cache
def read_files() -> Mapping[str, StaticFile]:
    """Return the files by name."""
    return {path.name: read_file(path) for path in sorted(FOLDER.iterdir()) if path.suffix in TYPES}


def read_file(path: Path, headers: tuple[Header, ...] = HEADERS) -> StaticFile:
    """Return a file as it is sent, with these headers."""
    content = path.read_bytes()
    tag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'.encode()
    content_type = TYPES[path.suffix] + b"; charset=utf-8"
    return StaticFile(content, gzip.compress(content, mtime=0), content_type, tag, headers)
