"""Schema skew: what in a table breaks the contract that its last model was trained under.

The rules about values run as a pandera schema, https://pandera.readthedocs.io. Each rule answers for
a whole column at once: pandera would keep every single value that breaks it.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np
import pandas as pd
import pandera.pandas as pandera
from numpy.typing import NDArray
from pandera.config import ValidationDepth, config_context
from pandera.errors import SchemaErrorReason, SchemaErrors

from ekiben.contract.feature import Feature, Number
from ekiben.contract.schema import Schema, Target
from ekiben.contract.validation import show, suggest, to_float32
from ekiben.training.checks.reference import Reference, holds
from ekiben.training.tables.conversion import ParseFailure
from ekiben.training.wording import format_rows, quote

MAX_SHOWN_CLASSES = 10
SkewKind = Literal["missing", "unread", "undeclared", "extra", "retyped", "new nulls", "out of range", "new classes"]
Mask = NDArray[np.bool_]  # (rows,)
Rule = Callable[[Any], Mask]


@dataclass(frozen=True)
class Skew:
    """One thing in which a table and the contract differ."""

    column: str
    kind: SkewKind
    message: str

    def __str__(self) -> str:
        return f"{quote(self.column)}: {self.message}"


def find_skews(
    schema: Schema,
    reference: Reference | None,
    columns: Sequence[str],
    frame: pd.DataFrame,
    parse_failures: Sequence[ParseFailure],
    features: Collection[str],
    against: str,
) -> tuple[Skew, ...]:
    """Return everything in which a table differs from the schema, and its columns from the reference's.

    `columns` are all of the source, `frame` is what was read of it, its index the rows' positions in
    the source, and `features` are those the problem names. `against` says in the messages whose
    schema it is.
    """
    read = [entry for entry in (*schema.features, schema.target) if entry.name in features or entry is schema.target]
    return (
        *_find_strange_features(schema, columns, features, against),
        *map(to_skew, parse_failures),
        *_find_broken_rules(read, columns, frame, {parse_failure.column for parse_failure in parse_failures}, against),
        *_find_extra_columns(reference, columns, features, against),
    )


def _find_strange_features(
    schema: Schema, columns: Collection[str], features: Collection[str], against: str
) -> Iterator[Skew]:
    for name in schema.names:
        if name not in features and name in columns:
            yield Skew(name, "unread", f"a feature of {against}, but none of the problem")
        elif name not in features:
            yield Skew(name, "missing", "missing from the table and from the problem's features")
    for name in features:
        if name not in schema.names:
            yield Skew(name, "undeclared", f"a feature of the problem, but none of {against}")


def _find_extra_columns(
    reference: Reference | None, columns: Sequence[str], features: Collection[str], against: str
) -> Iterator[Skew]:
    known = {*features, *(reference.columns if reference else columns)}
    for name in columns:
        if name not in known:
            yield Skew(name, "extra", f"a new column: the table of {against} had none of that name")


def to_skew(failure: ParseFailure) -> Skew:
    """Return the column's values that can't be read as skew."""
    found = format_rows(failure.rows, failure.of)
    message = f"can't be read as {failure.expected} in {found}, first in row {failure.row:,}: {show(failure.shown)}"
    return Skew(failure.column, "retyped", message)


def _find_broken_rules(
    entries: Sequence[Feature | Target],
    columns: Sequence[str],
    frame: pd.DataFrame,
    misread: Collection[str],
    against: str,
) -> Iterator[Skew]:
    named = {entry.name: entry for entry in entries}
    for name, kind in _run_rules(entries, frame):
        if kind == "missing":
            unknown = [column for column in columns if column not in named]
            yield Skew(name, kind, f"missing from the table{suggest(name, unknown)}")
        elif kind == "retyped":
            was = _describe_entry(named[name])
            yield Skew(name, kind, f"{_describe_dtype(frame[name].dtype)} now, {was} in {against}")
        elif kind != "new nulls" or name not in misread:  # what can't be read is missing, and was said
            yield Skew(name, kind, _describe_values(named[name], frame[name], kind, against))


def _run_rules(entries: Sequence[Feature | Target], frame: pd.DataFrame) -> list[tuple[str, SkewKind]]:
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


def _to_checks(entry: Feature | Target) -> list[pandera.Check]:
    def is_held(column: "pd.Series[Any]") -> bool:
        return holds(entry, column.dtype)

    def is_kept(find: Rule, column: "pd.Series[Any]") -> bool:
        return not is_held(column) or not find(column).any()

    retyped = pandera.Check(is_held, name="retyped", ignore_na=False)
    others = _value_rules(entry).items()
    return [retyped, *(pandera.Check(partial(is_kept, find), name=kind, ignore_na=False) for kind, find in others)]


def _read_error(error: Any) -> tuple[str, SkewKind]:
    if error.reason_code is SchemaErrorReason.COLUMN_NOT_IN_DATAFRAME:
        return str(error.failure_cases), "missing"
    if error.reason_code is not SchemaErrorReason.DATAFRAME_CHECK:
        raise error  # a rule has failed to run
    return error.schema.name, error.check.name


def _value_rules(entry: Feature | Target) -> dict[SkewKind, Rule]:
    """Return what finds the rows that break each rule the values of a column have."""
    if isinstance(entry, Target):
        return {} if entry.task == "regression" else {"new classes": partial(_find_strange_labels, entry)}
    rules: dict[SkewKind, Rule] = {} if entry.nullable else {"new nulls": _find_nulls}
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


def _describe_values(entry: Feature | Target, column: "pd.Series[Any]", kind: SkewKind, against: str) -> str:
    mask = _value_rules(entry)[kind](column)
    index = int(mask.argmax())
    found = f"in {format_rows(int(mask.sum()), len(column))}, first in row {int(column.index[index]) + 1:,}"
    if kind == "new nulls":
        return f"missing {found}; {against} has no missing values here"
    value = column.iloc[index]
    if isinstance(entry, Number):
        unit = f" {entry.unit}" if entry.unit else ""
        return f"not between {entry.low:g} and {entry.high:g}{unit} {found}: {value:.7g}"
    assert isinstance(entry, Target)
    classes = ", ".join(show(label) for label in entry.classes[:MAX_SHOWN_CLASSES])
    more = ", …" if len(entry.classes) > MAX_SHOWN_CLASSES else ""
    return f"none of the classes of {against} ({classes}{more}) {found}: {show(value)}"


def _describe_entry(entry: Feature | Target) -> str:
    if isinstance(entry, Target):
        return "a number" if entry.task == "regression" else "a label"
    return f"a {entry.kind}" + (" with a UTC offset" if entry.kind == "timestamp" and entry.zoned else "")


def _describe_dtype(dtype: Any) -> str:
    if isinstance(dtype, pd.CategoricalDtype):
        return "a category"
    if isinstance(dtype, pd.DatetimeTZDtype):
        return "a timestamp with a UTC offset"
    if pd.api.types.is_datetime64_any_dtype(dtype):
        return "a timestamp"
    if pd.api.types.is_bool_dtype(dtype):
        return "a boolean"
    return "a number" if pd.api.types.is_numeric_dtype(dtype) else "a string"
