"""What is measured of the training rows before the network is built."""

import numpy as np
import pytest

from ekiben.training.network.scaling import scale_numbers

TRAINING = np.arange(1000, dtype=np.float32)[:, None]


@pytest.mark.parametrize(
    "later",
    [None, TRAINING[::7], np.full((50, 1), np.nan, np.float32), np.append(TRAINING, [[1000.0]], axis=0)],
    ids=["none", "within", "missing", "one row in a thousand beyond"],
)
def test_a_number_that_stays_in_its_range_has_bins(later: np.ndarray | None) -> None:
    assert scale_numbers(TRAINING, 8, later).slopes.all()


@pytest.mark.parametrize("shift", [-100, 100])
def test_a_number_that_leaves_its_range_later_has_none(shift: float) -> None:
    both = np.hstack([TRAINING, TRAINING])
    scale = scale_numbers(both, 8, both + np.array([0.0, shift], np.float32))
    assert scale.slopes.any(axis=1).tolist() == [True, False]


def test_a_number_without_any_value_has_none() -> None:
    assert not scale_numbers(np.full((9, 1), np.nan, np.float32), 8, TRAINING).slopes.any()
