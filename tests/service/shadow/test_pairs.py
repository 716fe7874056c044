"""A label finds the pair of answers of its row, as long as that is kept, and only once."""

import numpy as np
import pytest

from ekiben.contract.encoding import Encoded
from ekiben.service.shadow import pairs as module
from ekiben.service.shadow.early_labels import MAX_EARLY
from ekiben.service.shadow.pairs import Pairs
from ekiben.service.shadow.waiting_rows import CHUNK_ROWS, Piece

NONE = Encoded(np.zeros((0, 1), np.float32), np.zeros((0, 1), np.int32))


def piece(name: bytes, rows: int = 1, chunk: int = 0, single: bool | None = None) -> Piece:
    return Piece(name, chunk, rows == 1 if single is None else single, NONE, 0, rows, np.zeros((rows, 1), np.float32))


def add(pairs: Pairs, first: float, *pieces: Piece, broken: tuple[int, ...] = ()) -> None:
    """Add pieces whose answers count from `first`; the challenger's are a hundred more."""
    rows = sum(piece.rows for piece in pieces)
    answers = np.arange(first, first + rows, dtype=np.float32)[:, None]
    pairs.add(pieces, answers, answers + 100, ~np.isin(np.arange(rows), broken))


def find(pairs: Pairs, *ids: str) -> list[float]:
    """Return the champion's answers of the pairs that labels of these ids find."""
    matched = pairs.match([one.encode() for one in ids], [1.0] * len(ids))
    champion, challenger = pairs.read(matched.places)
    assert np.array_equal(champion + 100, challenger)
    found: list[float] = champion[:, 0].tolist()
    return found


def test_rows_are_found_by_their_ids() -> None:
    pairs = Pairs(1)
    add(pairs, 0, piece(b"a"), piece(b"b", 3), piece(b"own/7"), piece(b"c/x", 2))
    assert find(pairs, "b/2", "a", "b/0", "own/7", "c/x/1") == [3, 0, 1, 4, 6]
    assert (
        find(pairs, "b", "a/0", "b/3", "b/01", "b/-1", "own", "own/7/0", "c/x", "b/\u0661", "", "/", "b/999999999999")
        == []
    )


def test_the_chunks_of_a_large_request_are_found() -> None:
    pairs = Pairs(1)
    add(pairs, 0, piece(b"a", CHUNK_ROWS), piece(b"a", 5, chunk=2), piece(b"a", 1, chunk=3, single=False))
    ids = [f"a/{row}" for row in (5, 2 * CHUNK_ROWS + 4, 3 * CHUNK_ROWS)]
    assert find(pairs, *ids) == [5, CHUNK_ROWS + 4, CHUNK_ROWS + 5]
    assert find(pairs, f"a/{CHUNK_ROWS}", f"a/{2 * CHUNK_ROWS + 5}") == []


def test_the_first_label_of_a_row_counts() -> None:
    pairs = Pairs(1)
    add(pairs, 0, piece(b"a"), piece(b"b"))
    matched = pairs.match([b"a", b"a", b"b"], [1.0, 0.0, 0.0])
    assert (matched.labels.tolist(), matched.repeated, matched.unplaced) == ([1.0, 0.0], 1, [])
    assert pairs.match([b"a"], [1.0]).repeated == 1


def test_rows_without_two_finite_answers_get_no_label() -> None:
    pairs = Pairs(1)
    add(pairs, 0, piece(b"a", 3), broken=(1,))
    assert find(pairs, "a/0", "a/1", "a/2") == [0, 2]


def test_a_label_that_comes_first_waits_for_its_pair() -> None:
    pairs = Pairs(1)
    early = pairs.match([b"a", b"b/1", b"b/9", b"a", b"c"], [1.0, 2.0, 3.0, 4.0, 5.0])
    assert (early.unplaced, len(early.places)) == ([0, 1, 2, 3, 4], 0)
    pieces = [piece(b"z"), piece(b"a"), piece(b"b", 3)]
    add(pairs, 0, *pieces)
    assert pairs.take_early(pieces) == ([b"a", b"b/1"], [1.0, 2.0])
    assert pairs.take_early(pieces) == ([], [])


def test_a_label_that_waits_for_an_id_that_comes_twice_is_taken_once() -> None:
    pairs = Pairs(1)
    pairs.match([b"a", b"b/1"], [1.0, 2.0])
    pieces = [piece(b"a"), piece(b"b", 3), piece(b"a"), piece(b"b", 3)]
    assert pairs.take_early(pieces) == ([b"a", b"b/1"], [1.0, 2.0])


def test_labels_that_wait_for_other_requests_are_not_looked_at() -> None:
    looked: list[bytes] = []

    class Id(bytes):
        def rpartition(self, separator: object) -> tuple[bytes, bytes, bytes]:
            looked.append(self)
            return super().rpartition(b"/")

    pairs = Pairs(1)
    pairs.match([Id(b"%d/1" % number) for number in range(100)], [1.0] * 100)
    looked.clear()
    pieces = [piece(b"%d" % number, 3) for number in range(95, 105)]
    assert pairs.take_early(pieces) == ([b"%d/1" % number for number in range(95, 100)], [1.0] * 5)
    assert len(looked) <= 5
    assert pairs.take_early(pieces) == ([], [])


def test_labels_that_wait_are_bounded() -> None:
    pairs = Pairs(1)
    pairs.match([b"%d" % number for number in range(3 * MAX_EARLY)], [0.0] * 3 * MAX_EARLY)
    pieces = [piece(b"%d" % number) for number in range(3 * MAX_EARLY)]
    assert len(pairs.take_early(pieces)[0]) == MAX_EARLY
    assert pairs.take_early(pieces) == ([], [])


@pytest.mark.parametrize("rows", [1, 7, 1000])
def test_the_oldest_pairs_go_and_the_others_are_right(rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_PAIRS", CHUNK_ROWS)
    pairs = Pairs(1)
    count = 5 * CHUNK_ROWS // rows
    for number in range(count):
        add(pairs, number * rows, piece(b"%d" % number, rows, single=False))
    kept = [number for number in range(count) if find(pairs, f"{number}/0") == [number * rows]]
    assert kept == list(range(count - CHUNK_ROWS // rows, count))
    assert len(pairs._places) == len(kept)


def test_an_id_that_comes_again_is_the_later_row_until_that_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_PAIRS", CHUNK_ROWS)
    pairs = Pairs(1)
    add(pairs, 0, piece(b"a"))
    add(pairs, 1, piece(b"filler", CHUNK_ROWS - 2), piece(b"a"))
    add(pairs, CHUNK_ROWS, piece(b"more", 3))
    assert find(pairs, "a") == [CHUNK_ROWS - 1]
    add(pairs, 0, piece(b"filler", CHUNK_ROWS))
    assert find(pairs, "a") == []


def test_many_outputs_make_it_smaller() -> None:
    assert Pairs(1).size == module.MAX_PAIRS
    assert Pairs(128).size == module.MAX_VALUES // 256
    assert Pairs(100_000).size == CHUNK_ROWS
