"""Cuts rows into folds, each of which has its share of all labels, and all rows of a group."""

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold

from ekiben.contract.schema import Target

FOLDS = 5
MIN_UNITS = 2 * FOLDS  # rows, or groups of them, that are needed, of each class
MAX_BANDS = 10  # of numbers, each of which every fold has its share of


def can_cut(target: Target, labels: np.ndarray, groups: np.ndarray | None = None) -> bool:
    """Return whether every fold gets rows of each class; `groups`, (rows,), stay whole."""
    everything = np.arange(len(labels)) if groups is None else groups
    if target.task == "regression":
        return len(np.unique(everything)) >= MIN_UNITS
    pairs = np.unique(np.column_stack([labels.astype(np.int64), everything]), axis=0)
    return bool(np.bincount(pairs[:, 0], minlength=len(target.classes)).min() >= MIN_UNITS)


def cut_folds(target: Target, labels: np.ndarray, seed: int, groups: np.ndarray | None = None) -> np.ndarray:
    """Return each row's fold, (rows,)."""
    folds = np.empty(len(labels), np.int64)
    if groups is None:
        order = np.lexsort((np.random.default_rng(seed).random(len(labels)), labels))
        folds[order] = np.arange(len(labels)) % FOLDS
        return folds
    strata = _band(labels) if target.task == "regression" else labels.astype(np.int64)
    splitter = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed)
    for fold, (_, held) in enumerate(splitter.split(strata[:, None], strata, groups)):
        folds[held] = fold
    return folds


def _band(numbers: np.ndarray) -> np.ndarray:
    """Return the band of each number, (rows,): as many rows have the least of them as the largest."""
    bands = np.empty(len(numbers), np.int64)
    count = min(MAX_BANDS, len(numbers) // MIN_UNITS)
    bands[np.argsort(numbers, kind="stable")] = np.arange(len(numbers)) * count // len(numbers)
    return bands
