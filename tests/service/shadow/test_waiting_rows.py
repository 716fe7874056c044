"""What waits for the challenger is bounded, and a fair sample of what came."""

import random

import numpy as np
import pytest

from ekiben.contract.encoding import Encoded
from ekiben.service.batching.work import Work
from ekiben.service.shadow import waiting_rows as module
from ekiben.service.shadow.waiting_rows import CHUNK_ROWS, MAX_PIECES, MAX_ROWS, MAX_VALUES, Piece, WaitingRows, gather


def make(first: int, rows: int, before: int = 0) -> tuple[Work, np.ndarray]:
    """Return a request of numbered rows that lie in an array behind others, and their answers."""
    numbers = np.arange(first - before, first + rows, dtype=np.float32)[:, None]
    work = Work.__new__(Work)  # without an event loop
    work.set_encoded(Encoded(numbers, numbers.astype(np.int32)), before, before + rows)
    return work, numbers[before:] * 2


def make_waiting(values: int) -> WaitingRows:
    return WaitingRows(values, 512, lambda: None)


def fill(waiting: WaitingRows, requests: int, rows: int = 1) -> None:
    for number in range(requests):
        waiting.add(b"%d" % number, *make(number * rows, rows, before=3))


def take_all(waiting: WaitingRows) -> list[Piece]:
    taken: list[Piece] = []
    while pieces := waiting.take(4096):
        taken += pieces
    return taken


def test_rows_come_out_in_order_with_their_answers() -> None:
    waiting = make_waiting(3)
    for first, rows in ((0, 1), (1, 5), (6, 1), (7, 300)):
        waiting.add(b"id", *make(first, rows, before=first % 3))
    encoded, answers = gather(take_all(waiting))
    assert encoded.numbers[:, 0].tolist() == encoded.codes[:, 0].tolist() == list(range(307))
    assert np.array_equal(answers, encoded.numbers * 2)
    assert (waiting.rows, waiting.dropped, waiting.take(9)) == (0, 0, [])


def test_it_says_once_when_there_are_rows_enough_until_it_is_to_say_so_again() -> None:
    calls: list[int] = []
    waiting = WaitingRows(3, 5, lambda: calls.append(waiting.rows))
    fill(waiting, 12)
    assert calls == [5]
    waiting.take(8)
    waiting.wait()
    fill(waiting, 3)
    assert calls == [5, 5]
    waiting.wait()
    assert calls == [5, 5, 7]


def test_a_batch_is_bounded_in_rows_and_pieces() -> None:
    waiting = make_waiting(3)
    fill(waiting, 2 * MAX_PIECES)
    assert len(waiting.take(4096)) == MAX_PIECES
    assert len(waiting.take(100)) == 100
    waiting.add(b"large", *make(0, CHUNK_ROWS))
    taken = [len(waiting.take(2100)) for _ in range(2)]
    assert taken == [MAX_PIECES - 100, 1]


def test_a_large_request_comes_in_chunks() -> None:
    waiting = make_waiting(3)
    waiting.add(b"id", *make(0, 2 * CHUNK_ROWS + 5, before=1))
    pieces = take_all(waiting)
    assert [(piece.chunk, piece.rows, piece.single) for piece in pieces] == [
        (0, CHUNK_ROWS, False), (1, CHUNK_ROWS, False), (2, 5, False),
    ]  # fmt: skip
    encoded, answers = gather(pieces)
    assert np.array_equal(encoded.numbers[:, 0], np.arange(2 * CHUNK_ROWS + 5))
    assert np.array_equal(answers, encoded.numbers * 2)


@pytest.mark.parametrize(("values", "limit"), [(1, MAX_ROWS), (10_000, CHUNK_ROWS), (100, MAX_VALUES // 100)])
def test_rows_are_bounded_and_what_is_dropped_is_counted(values: int, limit: int) -> None:
    waiting = make_waiting(values)
    fill(waiting, 2 * limit // 64 + 1, rows=64)
    assert limit - 64 < waiting.rows <= limit
    rows = waiting.rows
    assert rows + waiting.dropped == 64 * (2 * limit // 64 + 1)
    assert sum(piece.rows for piece in take_all(waiting)) == rows


def test_what_is_kept_becomes_a_sample_of_the_latest(monkeypatch: pytest.MonkeyPatch) -> None:
    """A place survives n of the sampled requests with a chance of exp(-n / places)."""
    monkeypatch.setattr(module, "SAMPLED", 1 / 16)
    random.seed(19)
    waiting = make_waiting(1024)
    fill(waiting, 33 * CHUNK_ROWS)
    numbers = gather_all(waiting)
    assert len(set(numbers)) == CHUNK_ROWS
    halves = np.histogram(numbers, [0, CHUNK_ROWS, 17 * CHUNK_ROWS, 33 * CHUNK_ROWS])[0] / CHUNK_ROWS
    assert halves == pytest.approx([np.exp(-2), np.exp(-1) - np.exp(-2), 1 - np.exp(-1)], abs=0.06)


def gather_all(waiting: WaitingRows) -> list[float]:
    encoded, answers = gather(take_all(waiting))
    assert np.array_equal(answers, encoded.numbers * 2)
    numbers: list[float] = encoded.numbers[:, 0].tolist()
    return numbers


def test_once_there_is_no_room_no_stranger_is_kept_alive() -> None:
    waiting = make_waiting(1024)
    fill(waiting, 8 * CHUNK_ROWS)
    late = [piece for piece in take_all(waiting) if int(piece.prediction_id) >= CHUNK_ROWS]
    assert late
    assert {len(piece.source) for piece in late} == {1}


def test_a_request_for_which_a_place_is_too_small_is_dropped() -> None:
    waiting = make_waiting(1024)
    fill(waiting, CHUNK_ROWS)
    waiting.add(b"large", *make(0, 100))
    assert (waiting.rows, waiting.dropped) == (CHUNK_ROWS, 100)
