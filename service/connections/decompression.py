"""Unpacks gzip and deflate of strangers: so much at a time, and no more than is allowed."""

import zlib
from collections.abc import Callable

from ekiben.service.errors import BadRequest

AUTOMATIC = 32 + zlib.MAX_WBITS  # zlib's window bits: gzip and zlib headers are told apart by themselves
MAX_RATIO = 100  # unpacked to packed, beyond LARGE_BYTES: rows of real tables give 3 to 25, and gzip can do 1000
MAX_MEMBERS = 1000  # of a gzip body: bgzip makes one of each 64 KB
WINDOW_BYTES, PIECE_BYTES = 2**16, 2**20  # packed that are looked at, and unpacked that are made, at once


def unpack(body: bytes, most: int, check_time: Callable[[], object] = lambda: None, name: str = "body") -> bytes | None:
    """Return what a gzip or deflate body of one or several members holds, None if that is more than so many bytes.

    Raises BadRequest if it is damaged. `check_time` may raise: it is called before each piece.
    """
    pieces, size, at = [], 0, 0
    for _ in range(MAX_MEMBERS):
        unpacker = zlib.decompressobj(AUTOMATIC)
        while not unpacker.eof:
            check_time()
            window = unpacker.unconsumed_tail or body[at : at + WINDOW_BYTES]
            at += 0 if unpacker.unconsumed_tail else len(window)
            try:
                piece = unpacker.decompress(window, min(PIECE_BYTES, most + 1 - size))
            except zlib.error:
                raise BadRequest(400, f"the {name} is not compressed as its content encoding says") from None
            if not window and not piece and not unpacker.eof:
                raise BadRequest(400, f"the compressed {name} ends too soon")
            pieces.append(piece)
            size += len(piece)
            if size > most:
                return None
        at -= len(unpacker.unused_data)
        if not body[at : at + WINDOW_BYTES].strip(b"\0"):  # tar and tape drives fill up the last block
            return b"".join(pieces)
    raise BadRequest(413, f"the {name} has more than {MAX_MEMBERS} compressed members: send it as one")
