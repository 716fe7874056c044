"""What a problem file says of the shape of the answers: the order of classes, and features that are monotone."""

from collections.abc import Mapping, Sequence

import pandas as pd

from ekiben.contract.errors import InvalidTable
from ekiben.contract.schema import Label, Task
from ekiben.contract.validation import show
from ekiben.training.feature_config import Declared


def check_order(task: Task, classes: Sequence[Label], ordered: Sequence[Label]) -> None:
    """Raise ValueError if the order is that of a number or of two classes, or names one twice."""
    if not ordered:
        return
    if task == "regression":
        raise ValueError("`ordered` is for classes, and numbers have an order: leave it out")
    if task == "binary":
        raise ValueError(
            "`ordered` is for three classes and more: name two in `classes`, the last is the one asked for"
        )
    if classes:
        raise ValueError("`ordered` and `classes` both name the classes: leave `classes` out")
    seen: list[Label] = []
    for label in ordered:
        if label in seen:
            raise ValueError(f"`ordered` names {show(label)} twice: name each class once")
        seen.append(label)


def check_directions(task: Task, is_ordered: bool, features: Mapping[str, Declared]) -> None:
    """Raise ValueError if a feature is monotone where no answer is higher than another."""
    monotone = [name for name, declared in features.items() if declared.monotone]
    if monotone and task == "multiclass" and not is_ordered:
        raise ValueError(
            f"`{monotone[0]}` can't be monotone: no class of the target is higher than another; "
            "leave `monotone` out, or name the classes in `ordered`, from the lowest on"
        )


def reject_absent(name: str, ordered: Sequence[Label], counts: "pd.Series[int]") -> None:
    """Raise InvalidTable if the order names a class that no row has."""
    absent = [label for label in ordered if not counts.get(label, 0)]
    if absent:
        raise InvalidTable(
            f"`ordered` names {absent[0]!r}, which `{name}` is in no row: leave it out, or add rows of it"
        )
