"""The next piece is read while this one is worked on."""

from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Piece = TypeVar("Piece")


def read_ahead(pieces: Generator[Piece, None, None]) -> Iterator[Piece]:
    """Yield what the generator yields, run by another thread that is one piece ahead; close it if left early."""
    with ThreadPoolExecutor(1, "reader") as pool:
        try:
            coming = pool.submit(next, pieces, None)
            while (piece := coming.result()) is not None:
                coming = pool.submit(next, pieces, None)
                yield piece
        finally:
            pool.submit(pieces.close).result()
