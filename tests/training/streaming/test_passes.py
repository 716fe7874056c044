"""What is learned in several readings of a column: values by rank, counts of many values, rows spread evenly."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from ekiben.training.streaming.counting import MAX_COUNTED, ValueCounts, count_frequent
from ekiben.training.streaming.encoded_rows import TAKEN_ROWS, StoredArray
from ekiben.training.streaming.ranking import find_ranked
from ekiben.training.streaming.sampling import EvenSample


@pytest.mark.parametrize("spread", [1, 1000, 10**6, 2**62])
def test_the_value_of_a_rank_is_that_of_the_sorted_column(spread: int) -> None:
    values = np.random.default_rng(spread).integers(-spread, spread, 10_000)
    chunks = np.array_split(values, 7)
    ranks = [0, 1, 5000, 7499, 9999]
    assert find_ranked(lambda: chunks, ranks) == np.sort(values)[ranks].tolist()


def test_a_column_of_one_value_has_it_at_every_rank() -> None:
    assert find_ranked(lambda: [np.array([3, 3]), np.array([3])], [0, 2]) == [3, 3]


def test_few_values_are_counted_as_they_come() -> None:
    counts = ValueCounts()
    for chunk in (["a", None, "b"], ["b", "c"], [None]):
        counts.add(pa.array(chunk, pa.string()))
    assert counts.is_exact
    assert counts.finish().to_dict() == {"b": 2, "a": 1, "c": 1}


def test_of_very_many_values_the_frequent_ones_are_counted_exactly() -> None:
    rare = [pa.array([f"{part}-{number}" for number in range(MAX_COUNTED // 2)]) for part in range(3)]
    frequent = pa.array([f"f{number}" for number in range(100) for _ in range(number)])
    chunks = [rare[0], frequent, rare[1], frequent, rare[2]]
    counts = ValueCounts()
    for chunk in chunks:
        counts.add(chunk)
    assert not counts.is_exact
    expected = {f"f{number}": 2 * number for number in range(99, 9, -1)}
    assert list(count_frequent(lambda: chunks, 20).items()) == list(expected.items())


def test_a_sample_is_each_how_manieth_row_of_what_came() -> None:
    sample = EvenSample(100)
    for start in range(0, 10_000, 300):
        sample.add(pa.table({"x": pa.array(range(start, min(start + 300, 10_000)))}))
    kept = sample.take()["x"].to_numpy()
    assert 100 <= len(kept) <= 200
    np.testing.assert_array_equal(kept, np.arange(0, 10_000, sample.step))


def test_fewer_rows_than_asked_for_are_all_kept() -> None:
    sample = EvenSample(100)
    sample.add(pa.table({"x": [1, 2, 3]}))
    assert sample.take()["x"].to_pylist() == [1, 2, 3]


def test_stored_rows_are_indexed_as_those_in_memory(tmp_path: Path) -> None:
    plain = np.random.default_rng(0).normal(size=(100_000, 50)).astype(np.float32)
    plain.tofile(tmp_path / "rows")
    stored = StoredArray(tmp_path / "rows", np.float32, "r", shape=plain.shape)
    order = np.random.default_rng(0).permutation(len(plain))[:1000]
    for index in (slice(None), slice(3, 90_000), slice(None, None, 7), slice(5, 2), slice(-5, None), slice(9, 2, -3)):
        np.testing.assert_array_equal(stored[index], plain[index])
        assert not isinstance(stored[index], np.memmap)
    np.testing.assert_array_equal(stored[order], plain[order])
    often = np.random.default_rng(1).integers(0, len(plain), 2 * TAKEN_ROWS + 1)
    np.testing.assert_array_equal(stored[often], plain[often])
    np.testing.assert_array_equal(stored[17], plain[17])
    np.testing.assert_array_equal(stored[:, 3], plain[:, 3])
    assert stored[2, 3] == plain[2, 3]
