"""Which columns could be features, as what, and why the others could not."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ekiben.contract.spellings.formats import is_clock
from ekiben.contract.spellings.moments import EPOCH
from ekiben.contract.spellings.spelling import PLAIN
from ekiben.contract.validation import show
from ekiben.training.problem import NUL
from ekiben.training.proposal.choice import MIXED_SHARE, Choice, choose_reading, find_strange
from ekiben.training.proposal.column import MAX_DISTINCT, Column
from ekiben.training.proposal.cycles import ALL_CYCLES, list_cycles
from ekiben.training.proposal.doubts.far_values import find_far_date, find_far_number, show_day
from ekiben.training.proposal.identifiers import TEXT_SHARE, find_identifier
from ekiben.training.proposal.marks import Mark
from ekiben.training.proposal.nominal import read_as_names
from ekiben.training.proposal.reading import Reading
from ekiben.training.tables.strings import has_text, to_strings

LISTED = 5  # values of a category
LONER_SHARE = 0.8  # of the values differ: few of them stand in two rows


@dataclass(frozen=True)
class Feature:
    """A column that could be a feature: what the problem file says of it, and a remark on that."""

    facts: dict[str, Any]
    remark: str
    reading: Reading | None  # None: a category
    doubt: str = ""  # the part of the remark that a person should look at
    says_when: bool = False  # each row has a moment of its own


def classify_column(column: Column, usual: Mark = ".") -> Feature | str:
    """Return the feature a column could be, or why it can be none; `usual` is the other columns' decimal mark."""
    if not column.name:
        return "it has no name"
    if NUL in column.name:
        return "a NUL character is in its name: rename it"
    if not column.values:
        return "no row has a value"
    if not has_text(column.type):
        return _describe_type(column)
    if column.is_counted and len(column.distinct) == 1 and column.values == column.rows:
        return f"the same in all rows: {_show_values(column)}"
    strange, share = find_strange(column)
    if strange and (share <= MIXED_SHARE or column.share_distinct >= TEXT_SHARE or not column.is_text):
        return f"mixed: {strange}"
    choice = read_as_names(choose_reading(column, usual), column)
    reason = find_identifier(column, choice.reading) or find_nul(column, choice.reading)
    return reason or _describe(column, replace(choice, remark=choice.remark or strange))


def find_nul(column: Column, reading: Reading | None) -> str:
    """Return which value of a category can't be told from another, or nothing."""
    if reading is not None or not column.is_text:
        return ""
    ending = column.distinct.filter(pc.ends_with(column.distinct, NUL))
    return f"{show(ending[0].as_py())} ends with a NUL character: remove it" if len(ending) else ""


def with_remark(feature: Feature, remark: str) -> Feature:
    """Return the feature with one more remark."""
    return replace(feature, remark=_join(feature.remark, remark), doubt=_join(feature.doubt, remark))


def spell_facts(choice: Choice, column: Column) -> dict[str, Any]:
    """Return what a problem file has to say of how a column is written, where that is not as usual or as said."""
    spelling = choice.reading.spelling if choice.reading else PLAIN
    usual = replace(PLAIN, decimal=column.decimal or PLAIN.decimal)
    names = ("format", "zoned", "decimal", "first_year", "unit")
    facts = {name: getattr(spelling, name) for name in names if getattr(spelling, name) != getattr(usual, name)}
    return facts | ({"null": list(choice.null)} if choice.null else {})


def _describe_type(column: Column) -> str:
    if isinstance(column.given, pa.BaseExtensionType) and column.given.extension_name == "arrow.uuid":
        return "an identifier (UUIDs)"
    return f"it holds {column.type}, which no kind of feature does"


def _describe(column: Column, choice: Choice) -> Feature:
    reading = choice.reading
    missing = column.rows - column.values + (sum(reading.unparsed.values()) if reading and choice.null else 0)
    is_moment = reading is not None and reading.kind == "timestamp" and not is_clock(reading.spelling.format)
    far = _find_far(column, reading) if reading and (is_moment or reading.kind == "number") else ""
    facts = {"kind": reading.kind if reading else "category", **spell_facts(choice, column)}
    if reading and reading.kind == "timestamp":
        facts |= {"cycles": cycles} if (cycles := list_cycles(column, reading)) != ALL_CYCLES else {}
    if missing:
        facts["nullable"] = True
    share = missing / column.rows
    doubt = _join(choice.remark, far, _find_loners(column) if reading is None else "")
    remark = _join(_show_range(column, reading), f"{max(share, 0.01):.0%} missing" if missing else "", doubt)
    return Feature(facts, remark, reading, doubt, is_moment and not far and not missing)


def _find_far(column: Column, reading: Reading) -> str:
    return find_far_number(column, reading) if reading.kind == "number" else find_far_date(column, reading)


def _find_loners(column: Column) -> str:
    """Return that a category has hardly any values to learn of, or nothing."""
    return "most values stand in one row only" if column.share_distinct >= LONER_SHARE else ""


def _join(*remarks: str) -> str:
    return ", ".join(filter(None, remarks))


def _show_range(column: Column, reading: Reading | None) -> str:
    if reading is None:
        return _show_values(column)
    if reading.kind == "boolean":
        return ""
    if reading.kind == "number":
        return f"{reading.low:.6g} … {reading.high:.6g}"
    if is_clock(reading.spelling.format):
        return " … ".join(_show_clock(end) for end in (reading.low, reading.high))
    return " … ".join(show_day(end) for end in (reading.low, reading.high))


def _show_clock(seconds: float) -> str:
    moment: datetime = EPOCH + timedelta(seconds=seconds)
    return moment.strftime("%H:%M:%S" if moment.second else "%H:%M")


def _show_values(column: Column) -> str:
    if not column.is_counted:
        return f"more than {MAX_DISTINCT:,} values"
    if len(column.distinct) > LISTED:
        return f"{len(column.distinct):,} values"
    return ", ".join(sorted(map(show, to_strings(column.distinct).to_pylist())))
