"""The rules that a column's values must keep, run as a pandera schema, https://pandera.readthedocs.io.

Each rule answers for a whole column at once: pandera would keep every single value that breaks it.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal

import numpy as np
import pandas as pd
import pandera.pandas as pandera
from numpy.typing import NDArray
from pandera.config import ValidationDepth, config_context
from pandera.errors import SchemaErrorReason, SchemaErrors

from ekiben.contract.feature import Feature, Number
from ekiben.contract.schema import Target
from ekiben.contract.validation import to_float32
from ekiben.training.checks.column_types import holds

RuleKind = Literal["missing", "retyped", "new nulls", "out of range", "new classes"]
Mask = NDArray[np.bool_]  # (rows,)
Rule = Callable[[Any], Mask]


def run_rules(entries: Sequence[Feature | Target], frame: pd.DataFrame) -> list[tuple[str, RuleKind]]:
    """Return the columns that break a rule, and which."""
    contract = pandera.DataFrameSchema(
        {entry.name: pandera.Column(nullable=True, checks=_to_checks(entry)) for entry in entries}
    )
    # The environment may have pandera switched off. In place changes nothing but saves a copy of every value.
    with config_context(validation_enabled=True, validation_depth=ValidationDepth.SCHEMA_AND_DATA):
        try:
            contract.validate(frame.copy(deep=False), lazy=True, inplace=True)
        except SchemaErrors as errors:
            return [_read_error(error) for error in errors.schema_errors]
    return []


@dataclass(frozen=True)
class Broken:
    """The values of a column that break a rule."""

    rows: int
    of: int
    row: int  # the first's, as the frame's index has it
    value: Any  # of that row

    def __add__(self, other: "Broken") -> "Broken":
        return replace(self, rows=self.rows + other.rows)


def find_values(entry: Feature | Target, kind: RuleKind, column: "pd.Series[Any]") -> Broken | None:
    """Return the values of a column that break a rule, if there are any."""
    mask = list_rules(entry)[kind](column)
    index = int(mask.argmax())
    if not mask[index]:
        return None
    return Broken(int(mask.sum()), len(column), int(column.index[index]), column.iloc[index])


def find_values_in(
    entries: Sequence[Feature | Target], frames: Iterable[pd.DataFrame]
) -> dict[tuple[str, RuleKind], Broken]:
    """Return the values that break a rule in a table that is read in parts."""
    found: dict[tuple[str, RuleKind], Broken] = {}
    rows = 0
    for frame in frames:
        rows += len(frame)
        for entry in entries:
            for kind in list_rules(entry) if holds(entry, frame[entry.name].dtype) else ():
                broken = find_values(entry, kind, frame[entry.name])
                if broken:
                    known = found.get((entry.name, kind))
                    found[entry.name, kind] = known + broken if known else broken
    return {place: replace(broken, of=rows) for place, broken in found.items()}


def _to_checks(entry: Feature | Target) -> list[pandera.Check]:
    def is_held(column: "pd.Series[Any]") -> bool:
        return holds(entry, column.dtype)

    def is_kept(find: Rule, column: "pd.Series[Any]") -> bool:
        return not is_held(column) or not find(column).any()

    retyped = pandera.Check(is_held, name="retyped", ignore_na=False)
    others = list_rules(entry).items()
    return [retyped, *(pandera.Check(partial(is_kept, find), name=kind, ignore_na=False) for kind, find in others)]


def _read_error(error: Any) -> tuple[str, RuleKind]:
    if error.reason_code is SchemaErrorReason.COLUMN_NOT_IN_DATAFRAME:
        return str(error.failure_cases), "missing"
    if error.reason_code is not SchemaErrorReason.DATAFRAME_CHECK:
        raise error  # a rule has failed to run
    return error.schema.name, error.check.name


def list_rules(entry: Feature | Target) -> dict[RuleKind, Rule]:
    """Return what finds the rows that break each rule the values of a column have."""
    if isinstance(entry, Target):
        return {} if entry.task == "regression" else {"new classes": partial(_find_strange_labels, entry)}
    rules: dict[RuleKind, Rule] = {} if entry.nullable else {"new nulls": _find_nulls}
    if isinstance(entry, Number):
        rules["out of range"] = partial(_find_beyond, entry)
    return rules


def _find_nulls(column: "pd.Series[Any]") -> Mask:
    return column.isna().to_numpy()


def _find_beyond(feature: Number, column: "pd.Series[Any]") -> Mask:
    with np.errstate(over="ignore"):  # an infinity is beyond
        values = column.to_numpy(np.float32, na_value=np.nan)
    return np.asarray((values < to_float32(feature.low)) | (values > to_float32(feature.high)))  # NaN is neither


def _find_strange_labels(target: Target, column: "pd.Series[Any]") -> Mask:
    known = set(map(repr, target.classes))  # 1 and True are equal, and only one of them may be known
    strange = np.array([*(repr(label) not in known for label in column.cat.categories), False])
    return np.asarray(strange[column.cat.codes])  # of a missing value it is -1
