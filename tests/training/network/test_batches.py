"""Batches: every row once in a round, whatever the table's size, and the same ones from the same seed."""

import itertools

import numpy as np
import pytest

from ekiben.contract.encoding import Encoded
from ekiben.training.network import batches
from ekiben.training.network.batches import TaughtRows, draw_rows, stream_batches


@pytest.mark.parametrize("rows", [5, 1000, 10_000])
def test_each_row_comes_once_in_a_round(rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "WINDOW_ROWS", 4096)  # the largest table has several
    drawn = draw_rows(rows, 64, np.random.default_rng(0))
    positions = np.concatenate(list(itertools.islice(drawn, -(-2 * rows // 64))))
    assert np.bincount(positions[:rows]).tolist() == [1] * rows
    assert np.bincount(positions[rows : 2 * rows]).tolist() == [1] * rows
    assert positions[:rows].tolist() != positions[rows : 2 * rows].tolist()


def test_a_window_of_a_large_table_holds_rows_from_all_over_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "WINDOW_ROWS", 8192)
    first = next(draw_rows(1_000_000, 8192, np.random.default_rng(0)))
    assert 300_000 < first.mean() < 700_000
    assert len(np.unique(first // batches.RUN_ROWS)) == 8  # read in so many pieces


def make_rows(first: int, rows: int) -> TaughtRows:
    numbers = np.arange(first, first + rows, dtype=np.float32)[:, None]
    targets = np.hstack([numbers, np.ones_like(numbers)])
    return TaughtRows(Encoded(numbers, np.zeros((rows, 0), np.int32)), targets.__getitem__)


def take(seed: int, count: int) -> list[tuple[np.ndarray, np.ndarray]]:
    stream = stream_batches([make_rows(0, 50), make_rows(100, 150)], 8, 4, seed)
    return [(inputs["numbers"].numpy(), targets.numpy()) for inputs, targets in stream.take(count)]


@pytest.mark.slow
def test_half_of_a_batch_comes_from_each_source_and_keeps_its_targets() -> None:
    for numbers, targets in take(0, 30):
        assert numbers.shape == (8, 1)
        assert np.count_nonzero(numbers < 100) == 4
        assert np.array_equal(numbers[:, 0], targets[:, 0])


@pytest.mark.slow
def test_the_same_seed_gives_the_same_batches_and_another_does_not() -> None:
    first, again, other = (np.concatenate([numbers for numbers, _ in take(seed, 9)]) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
