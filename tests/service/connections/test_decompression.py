"""Compressed bytes of strangers: so much is unpacked as may be, and no more is made meanwhile."""

import gzip
import tracemalloc
import zlib

import pytest

from ekiben.service.connections.decompression import PIECE_BYTES, unpack

MOST = 2**16


def test_what_is_small_enough_is_unpacked_to_its_last_byte() -> None:
    for size in (0, 1, MOST - 1, MOST):
        content = bytes(range(256)) * (MOST // 256)
        assert unpack(gzip.compress(content[:size]), MOST) == content[:size]
        assert unpack(zlib.compress(content[:size]), MOST) == content[:size]
    assert unpack(gzip.compress(b"a") + gzip.compress(b"b"), 2) == b"ab"


@pytest.mark.parametrize("size", [MOST + 1, 8 * PIECE_BYTES])
def test_what_is_too_large_is_not_unpacked_to_find_that_out(size: int) -> None:
    packed = gzip.compress(bytes(size))
    tracemalloc.start()
    try:
        assert unpack(packed, MOST) is None
        assert tracemalloc.get_traced_memory()[1] < 4 * MOST
    finally:
        tracemalloc.stop()
    assert unpack(gzip.compress(b"ab") + packed, 2) is None
