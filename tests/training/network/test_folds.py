"""Folds: every one has its share of the labels, and groups are whole."""

import numpy as np
import pytest

from ekiben.contract.schema import Target
from ekiben.training.network.folds import FOLDS, can_cut, cut_folds

BINARY = Target(name="y", classes=("no", "yes"))
THREE = Target(name="y", task="multiclass", classes=("a", "b", "c"))
NUMBER = Target(name="y", task="regression", scale=1.0)
RANDOM = np.random.default_rng(0)
ROWS = 2000
GROUPS = RANDOM.permutation(np.repeat(np.arange(160), RANDOM.multinomial(ROWS, RANDOM.dirichlet(np.ones(160)))))
SIGNAL = RANDOM.normal(size=160)[GROUPS] + RANDOM.normal(size=ROWS)  # rows of one group are alike
LABELS = {"binary": SIGNAL > 1.3, "multiclass": np.digitize(SIGNAL, [0, 2]), "regression": SIGNAL}


@pytest.mark.parametrize("target", [BINARY, THREE, NUMBER], ids=lambda target: target.task)
def test_a_group_is_in_one_fold_and_labels_are_in_all(target: Target) -> None:
    labels = LABELS[target.task]
    folds = cut_folds(target, labels, 0, GROUPS)
    assert (folds == cut_folds(target, labels, 0, GROUPS)).all()
    pairs = np.unique(np.column_stack([GROUPS, folds]), axis=0)
    assert len(pairs) == len(np.unique(GROUPS))
    for values in (labels == 0, labels == 1) if target is not NUMBER else (labels > 0, labels > 1):
        shares = [values[folds == fold].mean() for fold in range(FOLDS)]
        assert np.ptp(shares) < 0.1, shares
    assert np.ptp(np.bincount(folds, minlength=FOLDS)) < 0.1 * ROWS


def test_without_groups_rows_are_dealt_out_one_by_one() -> None:
    folds = cut_folds(BINARY, LABELS["binary"], 0)
    assert len(np.unique(np.column_stack([GROUPS, folds]), axis=0)) > 2 * len(np.unique(GROUPS))
    assert np.bincount(folds).tolist() == [ROWS // FOLDS] * FOLDS


@pytest.mark.parametrize(("of_the_rare_class", "can"), [(10, True), (9, False)])
def test_each_class_needs_groups_for_every_fold(of_the_rare_class: int, can: bool) -> None:
    groups = np.repeat(np.arange(100), 20)
    labels = groups < of_the_rare_class
    assert can_cut(BINARY, labels)
    assert can_cut(BINARY, labels, groups) is can
    if can:
        folds = cut_folds(BINARY, labels, 0, groups)
        assert all(labels[folds == fold].any() for fold in range(FOLDS))


def test_numbers_need_groups_too() -> None:
    assert can_cut(NUMBER, np.arange(90.0), np.arange(90) % 10)
    assert not can_cut(NUMBER, np.arange(90.0), np.arange(90) % 9)
