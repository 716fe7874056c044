"""Schema skew: what in a table breaks the contract that its last model was trained under."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from ekiben.contract.feature import Feature, Number
from ekiben.contract.reference.reference import Reference
from ekiben.contract.schema import Schema, Target
from ekiben.contract.validation import show, suggest
from ekiben.training.checks.column_types import describe_dtype, describe_entry
from ekiben.training.checks.rules import Broken, RuleKind, find_values, find_values_in, run_rules
from ekiben.training.tables.conversion import ParseFailure
from ekiben.training.tables.on_disk import TableOnDisk
from ekiben.training.wording import format_rows, quote

MAX_SHOWN_CLASSES = 10
SkewKind = RuleKind | Literal["unread", "undeclared", "extra"]


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
    on_disk: TableOnDisk | None = None,
) -> tuple[Skew, ...]:
    """Return everything in which a table differs from the schema, and its columns from the reference's.

    `columns` are all of the source, `frame` is what was read of it, its index the rows' positions in
    the source, and `features` are those the problem names. `against` says in the messages whose
    schema it is. Of a table `on_disk` the frame is a sample, and its values are all looked at.
    """
    read = [entry for entry in (*schema.features, schema.target) if entry.name in features or entry is schema.target]
    return (
        *_find_strange_features(schema, columns, features, against),
        *map(to_skew, parse_failures),
        *_find_broken_rules(read, columns, frame, {failure.column for failure in parse_failures}, against, on_disk),
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
    on_disk: TableOnDisk | None,
) -> Iterator[Skew]:
    named = {entry.name: entry for entry in entries}
    broken = run_rules(entries, frame)
    values: dict[tuple[str, RuleKind], Broken] = {}
    if on_disk:
        there = [entry for entry in entries if entry.name in on_disk.kinds]
        values = find_values_in(there, on_disk.frames([entry.name for entry in there], numbered=True))
        broken = [*(found for found in broken if found[1] in ("missing", "retyped")), *values]
    for name, kind in broken:
        if kind == "missing":
            unknown = [column for column in columns if column not in named]
            yield Skew(name, kind, f"missing from the table{suggest(name, unknown)}")
        elif kind == "retyped":
            was = describe_entry(named[name])
            yield Skew(name, kind, f"{describe_dtype(frame[name].dtype)} now, {was} in {against}")
        elif kind != "new nulls" or name not in misread:  # what can't be read is missing, and was said
            found = values.get((name, kind)) or find_values(named[name], kind, frame[name])
            assert found
            yield Skew(name, kind, _describe_values(named[name], found, kind, against))


def _describe_values(entry: Feature | Target, broken: Broken, kind: RuleKind, against: str) -> str:
    found = f"in {format_rows(broken.rows, broken.of)}, first in row {broken.row + 1:,}"
    if kind == "new nulls":
        return f"missing {found}; {against} has no missing values here"
    value = broken.value
    if isinstance(entry, Number):
        unit = f" {entry.unit}" if entry.unit else ""
        return f"not between {entry.low:g} and {entry.high:g}{unit} {found}: {value:.7g}"
    assert isinstance(entry, Target)
    classes = ", ".join(show(label) for label in entry.classes[:MAX_SHOWN_CLASSES])
    more = ", …" if len(entry.classes) > MAX_SHOWN_CLASSES else ""
    return f"none of the classes of {against} ({classes}{more}) {found}: {show(value)}"
