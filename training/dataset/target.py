"""The target: which classes it has, and the labels a network is fitted to."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ekiben.contract.errors import InvalidTable
from ekiben.contract.schema import Label, Target
from ekiben.training.problem import TargetColumn
from ekiben.training.tables.labels import sort_labels

MIN_ROWS = 50  # of fewer nothing can be learned and tested
MIN_CLASS_ROWS = 5
MAX_CLASSES = 1000


def learn_target(declared: TargetColumn, column: pd.Series) -> Target:
    """Return the target with its classes or its scale; raise InvalidTable if there is nothing to learn.

    `column` has no missing values.
    """
    if len(column) < MIN_ROWS:
        raise InvalidTable(
            f"the table has {_count(len(column), 'row')} with a `{declared.name}`: at least {MIN_ROWS} are needed"
        )
    if column.nunique() == 1:
        raise InvalidTable(
            f"`{declared.name}` is {column.iloc[0]!r} in all {len(column):,} rows: there is nothing to predict"
        )
    about = {"name": declared.name, "description": declared.description, "unit": declared.unit}
    if declared.task == "regression":
        return Target(task="regression", scale=float(column.std(ddof=0)), **about)
    counts = column.value_counts()
    counts = counts[counts > 0]
    classes = declared.classes or tuple(sort_labels(set(counts.index)))
    _check_classes(declared, classes, counts)
    return Target(task=declared.task, classes=classes, **about)


def describe_target(target: Target, column: pd.Series) -> str:
    """Return how the target is distributed, as the line about the table goes on."""
    if target.task == "regression":
        return f", `{target.name}` {column.mean():.4g} ± {column.std():.3g}"
    if target.task == "binary":
        return f", `{target.name}` is {target.classes[1]!r} in {(column == target.classes[1]).mean():.1%}"
    counts = column.value_counts(normalize=True)
    return f", {len(target.classes)} classes of `{target.name}`, {counts.index[0]!r} in {counts.iloc[0]:.1%}"


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
        if len(np.unique(labels)) < 2:
            raise InvalidTable(f"`{target.name}` is the same in all {len(labels)} {name} rows: use more rows")


def _check_classes(declared: TargetColumn, classes: Sequence[Label], counts: pd.Series) -> None:
    strange = [label for label in counts.index if label not in classes]
    if strange:
        raise InvalidTable(
            f"`{declared.name}` is {strange[0]!r} in {_count(counts[strange[0]], 'row')}, "
            f"which is none of the classes in the problem file: add it there, or leave `classes` out"
        )
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
