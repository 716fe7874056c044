"""The trees that teach, and the copies of rows of which they alone know the answer."""

import numpy as np
import pytest

from ekiben.contract.encoding import Encoded
from ekiben.contract.schema import Target
from ekiben.training.network.copies import LENT, copy_rows
from ekiben.training.network.scaling import scale_numbers
from ekiben.training.network.teacher import can_teach, fit_teacher

BINARY = Target(name="y", classes=("no", "yes"))
THREE = Target(name="y", task="multiclass", classes=("a", "b", "c"))
NUMBER = Target(name="y", task="regression", scale=1.0)


def make_rows(rows: int = 300) -> tuple[Encoded, np.ndarray]:
    """Rows, and what follows from a number and a category."""
    random = np.random.default_rng(0)
    numbers = random.normal(size=(rows, 3)).astype(np.float32)
    codes = random.integers(0, 300, (rows, 1)).astype(np.int32)
    signal = numbers[:, 0] + (codes[:, 0] < 100)
    numbers[random.random(numbers.shape) < 0.05] = np.nan
    return Encoded(numbers, codes), signal


@pytest.mark.slow
@pytest.mark.parametrize("target", [BINARY, THREE, NUMBER], ids=["binary", "multiclass", "regression"])
def test_it_answers_rows_that_it_was_not_fitted_to(target: Target) -> None:
    encoded, signal = make_rows()
    labels = signal if target is NUMBER else np.digitize(signal, [0.3] if target is BINARY else [-0.3, 0.9])
    teacher = fit_teacher(target, encoded, labels, None, 0)
    assert teacher.answers.shape == (300, 3 if target is THREE else 1)
    assert teacher.answer(encoded[:7]).shape == (7, teacher.answers.shape[1])
    said = teacher.answers.argmax(axis=1) if target is THREE else teacher.answers[:, 0]
    assert np.corrcoef(said, labels)[0, 1] > 0.6


@pytest.mark.slow
def test_it_does_not_answer_by_heart() -> None:
    encoded, signal = make_rows()
    noise = np.random.default_rng(1).permutation(signal)
    assert abs(np.corrcoef(fit_teacher(NUMBER, encoded, noise, None, 0).answers[:, 0], noise)[0, 1]) < 0.25


@pytest.mark.slow
@pytest.mark.parametrize("target", [BINARY, NUMBER], ids=["binary", "regression"])
def test_nor_by_heart_of_the_rest_of_a_group(target: Target) -> None:
    groups = np.repeat(np.arange(60), 10)
    random = np.random.default_rng(0)
    by_group = random.permutation(np.arange(60) % 2) if target is BINARY else random.normal(size=60)
    labels, who = by_group[groups], random.normal(size=60).astype(np.float32)  # which tells a group, and nothing else
    encoded = Encoded(who[groups][:, None], np.zeros((600, 0), np.int32))

    def learned(whole: np.ndarray | None) -> float:
        said = fit_teacher(target, encoded, labels, None, 0, groups=whole).answers[:, 0]
        return float(np.corrcoef(said, labels)[0, 1])

    assert learned(groups) < 0.3
    assert learned(None) > 0.9, "rows tell nothing of the others of their group: the test tests nothing"


@pytest.mark.slow
def test_weights_change_what_it_teaches() -> None:
    encoded, signal = make_rows()
    labels = (signal > 0.3).astype(np.int32)
    even, uneven = (fit_teacher(BINARY, encoded, labels, w, 0).answers for w in (None, np.where(labels, 5.0, 1.0)))
    assert uneven.mean() > even.mean() + 0.05


@pytest.mark.parametrize(
    ("target", "labels", "can"),
    [
        (BINARY, np.arange(100) % 2, True),
        (BINARY, np.arange(100) > 95, False),
        (THREE, np.arange(100) % 2, False),
        (NUMBER, np.arange(100), True),
        (NUMBER, np.arange(9), False),
        (Target(name="y", task="multiclass", classes=tuple(map(str, range(11)))), np.arange(990) % 11, False),
    ],
    ids=["two classes", "a rare class", "a class without rows", "numbers", "nine rows", "eleven classes"],
)
def test_every_fold_needs_some_rows_of_each_of_few_classes(target: Target, labels: np.ndarray, can: bool) -> None:
    assert can_teach(target, labels) is can


def test_copies_lie_between_rows() -> None:
    encoded, _ = make_rows()
    copied = copy_rows(encoded, scale_numbers(encoded.numbers, 8), 3, np.random.default_rng(0))
    assert len(copied) == 900
    same = np.isclose(copied.numbers, np.tile(encoded.numbers, (3, 1)), equal_nan=True)
    assert 1 - LENT[1] < same.mean() < 1 - LENT[0]
    for copy, own in ((copied.numbers, encoded.numbers), (copied.codes, encoded.codes)):
        assert np.isin(copy[~np.isnan(copy)], own).all()  # each entry is some row's


def test_copies_of_rows_alike_are_these_rows() -> None:
    encoded = Encoded(np.ones((9, 2), np.float32), np.ones((9, 1), np.int32))
    copied = copy_rows(encoded, scale_numbers(encoded.numbers, 8), 1, np.random.default_rng(0))
    assert np.array_equal(copied.numbers, encoded.numbers)
    assert np.array_equal(copied.codes, encoded.codes)
