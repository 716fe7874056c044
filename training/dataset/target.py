"""The target: which classes it has, and the labels a network is fitted to."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
import pandas as pd

from ekiben.contract.errors import InvalidTable
from ekiben.contract.schema import Label, Target
from ekiben.training.problem import TargetColumn
from ekiben.training.shape_config import reject_absent
from ekiben.training.tables.labels import sort_labels

MIN_ROWS = 50  # of fewer nothing can be learned and tested
MIN_CLASS_ROWS = 5
MAX_CLASSES = 1000
SUMMED_ROWS = 65_536  # at once: sums of a table in memory and of one on disk are then the same to the bit


@dataclass(frozen=True)
class TargetSummary:
    """What a target is learned from; those of groups of rows add up."""

    rows: int
    first: Any
    is_constant: bool
    mean: float = 0.0  # of a regression
    squares: float = 0.0  # of the differences from the mean
    counts: "pd.Series[int] | None" = None  # of a classification: label → rows, the most frequent first

    def __add__(self, other: "TargetSummary") -> "TargetSummary":
        """Return what both groups have: Chan, Golub and LeVeque, Updating Formulae (1979)."""
        rows, apart = self.rows + other.rows, other.mean - self.mean
        counts = None
        if self.counts is not None and other.counts is not None:
            counts = self.counts.add(other.counts, fill_value=0).astype(int)
            counts = counts.sort_values(ascending=False, kind="stable")
        return TargetSummary(
            rows,
            self.first,
            self.is_constant and other.is_constant and bool(self.first == other.first),
            self.mean + apart * other.rows / rows,
            self.squares + other.squares + apart * apart * self.rows * other.rows / rows,
            counts,
        )


def summarize_target(declared: TargetColumn, column: pd.Series) -> TargetSummary:
    """Return what is learned from the target, which has no missing values."""
    if declared.task != "regression":
        counts = column.value_counts()
        counts = counts[counts > 0]
        counts.index = counts.index.astype(object)
        return TargetSummary(len(column), column.iloc[0], len(counts) == 1, counts=counts)
    values = column.to_numpy(np.float64)
    groups = (values[start : start + SUMMED_ROWS] for start in range(0, len(values), SUMMED_ROWS))
    return add_up(_summarize_numbers(group) for group in groups)


def add_up(summaries: Iterable[TargetSummary]) -> TargetSummary:
    """Return the summary of all groups of rows, in their order."""
    return reduce(lambda one, other: one + other, summaries)


def _summarize_numbers(values: np.ndarray) -> TargetSummary:
    mean = float(values.mean())
    constant = bool(values.min() == values.max())
    return TargetSummary(len(values), values[0], constant, mean, float(np.square(values - mean).sum()))


def learn_target(declared: TargetColumn, column: pd.Series) -> Target:
    """Return the target with its classes or its scale; raise InvalidTable if there is nothing to learn.

    `column` has no missing values.
    """
    check_rows(declared, len(column))
    return learn_from_summary(declared, summarize_target(declared, column))


def check_rows(declared: TargetColumn, rows: int) -> None:
    """Raise InvalidTable if there are too few rows."""
    if rows < MIN_ROWS:
        raise InvalidTable(
            f"the table has {_count(rows, 'row')} with a `{declared.name}`: at least {MIN_ROWS} are needed"
        )


def learn_from_summary(declared: TargetColumn, summary: TargetSummary) -> Target:
    """Return the target as `learn_target` does."""
    check_rows(declared, summary.rows)
    if summary.is_constant:
        raise InvalidTable(
            f"`{declared.name}` is {summary.first!r} in all {summary.rows:,} rows: there is nothing to predict: name "
            "another column in [target]"
        )
    about = {"name": declared.name, "description": declared.description, "unit": declared.unit}
    if summary.counts is None:
        return Target(task="regression", scale=float(np.sqrt(summary.squares / summary.rows)), **about)
    classes = declared.classes or declared.ordered or tuple(sort_labels(set(summary.counts.index)))
    _check_classes(declared, classes, summary.counts)
    return Target(task=declared.task, classes=classes, ordered=bool(declared.ordered), **about)


def describe_target(target: Target, summary: TargetSummary) -> str:
    """Return how the target is distributed, as the line about the table goes on."""
    if summary.counts is None:
        deviation = np.sqrt(summary.squares / (summary.rows - 1))
        return f", `{target.name}` {summary.mean:.4g} ± {deviation:.3g}"
    shares = summary.counts / summary.rows
    if target.task == "binary":
        return f", `{target.name}` is {target.classes[1]!r} in {shares.get(target.classes[1], 0.0):.1%}"
    return f", {len(target.classes)} classes of `{target.name}`, {shares.index[0]!r} in {shares.iloc[0]:.1%}"


def encode_labels(target: Target, column: pd.Series) -> np.ndarray:
    """Return what the network is fitted to, (rows,): 0 and 1, the positions of the classes, or numbers.

    Raises KeyError if a label is none of the classes.
    """
    if target.task == "regression":
        return np.asarray(column.to_numpy(np.float64))
    index_of = {label: index for index, label in enumerate(target.classes)}
    categorical = column.astype("category").cat
    indices = np.array([index_of.get(label, -1) for label in categorical.categories], np.int32)
    labels = indices[categorical.codes]
    if (labels < 0).any():
        raise KeyError(next(label for label in categorical.categories if label not in index_of))
    return np.asarray(labels.astype(np.float32)) if target.task == "binary" else labels


def check_parts(target: Target, parts: dict[str, np.ndarray]) -> None:
    """Raise InvalidTable if a part's labels, (rows,), are all the same: nothing could be told from it."""
    for name, labels in parts.items():
        check_part(target, name, len(labels), len(np.unique(labels)))


def check_part(target: Target, name: str, rows: int, distinct: int) -> None:
    """Raise InvalidTable if a part has no two labels that differ."""
    if distinct < 2:
        raise InvalidTable(f"`{target.name}` is the same in all {rows} {name} rows: use more rows, or another split")


def _check_classes(declared: TargetColumn, classes: Sequence[Label], counts: pd.Series) -> None:
    entry = "ordered" if declared.ordered else "classes"
    known = set(classes)  # looking through 100,000 for each of them takes minutes
    strange = [label for label in counts.index if label not in known]
    if strange:
        raise InvalidTable(
            f"`{declared.name}` is {strange[0]!r} in {_count(counts[strange[0]], 'row')}, "
            f"which is none of the classes in the problem file: add it there, or leave `{entry}` out"
        )
    reject_absent(declared.name, declared.ordered, counts)
    if declared.task == "binary" and len(classes) != 2:
        raise InvalidTable(f"`{declared.name}` has {len(classes)} classes: its task is multiclass, not binary")
    if declared.task == "multiclass" and len(classes) == 2:
        raise InvalidTable(f"`{declared.name}` has two classes: its task is binary, not multiclass")
    if len(classes) > MAX_CLASSES:
        raise InvalidTable(
            f"`{declared.name}` has {len(classes):,} classes, more than {MAX_CLASSES:,}: pool the rare ones"
        )
    rare = [label for label in classes if counts.get(label, 0) < MIN_CLASS_ROWS]
    if rare:
        found = _count(counts.get(rare[0], 0), "row")
        raise InvalidTable(
            f"`{declared.name}` is {rare[0]!r} in only {found}: at least {MIN_CLASS_ROWS} are needed to learn and "
            "test a class; pool it with another or drop its rows"
        )


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" + ("" if number == 1 else "s")
