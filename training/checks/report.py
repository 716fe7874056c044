"""The checks of a table, and what they found for the terminal, for a browser and for MLflow."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from ekiben.contract.errors import InvalidTable
from ekiben.contract.reference.reference import Reference
from ekiben.contract.schema import Schema
from ekiben.contract.text_lines import printable
from ekiben.training.checks.drift import Drift, find_drifts
from ekiben.training.checks.reference_learning import share_duplicates
from ekiben.training.checks.skew import Skew, find_skews
from ekiben.training.tables.conversion import ParseFailure
from ekiben.training.tables.on_disk import TableOnDisk
from ekiben.training.wording import count, format_change, format_p_value, format_share, quote

MAX_SHOWN = 20  # lines of each sort in the terminal; the page has all of them
DUPLICATES_NOTED = 0.05  # of the rows, more than there were
PAGE = "report.html.jinja"
FILTERS = {
    "change": format_change,
    "count": count,
    "p_value": format_p_value,
    "printable": printable,
    "share": format_share,
    "zip": zip,
}


@dataclass(frozen=True)
class Report:
    """What is strange about a table."""

    rows: int
    against: str  # whose schema, such as "version 3"; "" for the table's own
    target: str
    skews: tuple[Skew, ...]
    drifts: tuple[Drift, ...]
    notes: tuple[str, ...]

    @cached_property
    def drifted(self) -> tuple[Drift, ...]:
        """What has moved, the worst first."""
        moved = (drift for drift in self.drifts if drift.verdict != "stable")
        return tuple(sorted(moved, key=lambda drift: -drift.psi))

    @property
    def drifted_columns(self) -> tuple[str, ...]:
        """Their columns; of a moment several cycles may have moved."""
        return tuple(dict.fromkeys(drift.then.column for drift in self.drifted))

    def format(self) -> str:
        """Return the report for a terminal: skews, then what has drifted, then notes."""
        checked = f"checked {count(self.rows, 'row')}" + (f" against {self.against}" if self.against else "")
        skews, drifts = [str(skew) for skew in self.skews], [self._describe(drift) for drift in self.drifted]
        found = [
            *_list_some(f"{count(len(skews), 'thing')} not as the schema says:", skews),
            *_list_some(f"{count(len(self.drifted_columns), 'column')} drifted:", drifts),
            *(f"note: {note}" for note in self.notes),
        ]
        return "\n".join([checked, *found]) if found else f"{checked}: nothing unexpected"

    def to_html(self) -> str:
        """Return the report as one page that needs nothing else."""
        environment = Environment(
            loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True
        )
        environment.filters |= FILTERS
        others = (drift for drift in self.drifts if drift.verdict == "stable")
        ordered = (*self.drifted, *sorted(others, key=lambda drift: -drift.psi))
        return environment.get_template(PAGE).render(report=self, drifts=ordered)

    def metrics(self) -> dict[str, float]:
        """Return what MLflow plots; moments count once, however many of their cycles drifted."""
        worst = {"worst_psi": 0.0, "target_psi": 0.0}
        for drift in self.drifts:
            name = "target_psi" if drift.then.column == self.target else "worst_psi"
            worst[name] = max(worst[name], drift.psi)
        features = [column for column in self.drifted_columns if column != self.target]
        return {"skews": float(len(self.skews)), "features_drifted": float(len(features)), **worst}

    def _describe(self, drift: Drift) -> str:
        role = " (the target)" if drift.then.column == self.target else ""
        strength = f"PSI {drift.psi:.2f}, {drift.verdict}, {format_p_value(drift.p_value)}"
        moves = (f"{printable(move.label)} {format_change(move.then, move.now)}" for move in drift.moves)
        return f"{quote(drift.then.name)}{role}: {strength}; {', '.join(moves)}"


def check_table(
    schema: Schema,
    reference: Reference | None,
    columns: Sequence[str],
    frame: pd.DataFrame,
    parse_failures: Sequence[ParseFailure],
    features: Collection[str] | None = None,
    against: str = "",
    on_disk: TableOnDisk | None = None,
) -> Report:
    """Check a typed table against a schema and what its training rows looked like.

    `columns` are all of the source and `parse_failures` what could not be read of them; the frame's index
    holds the rows' positions in the source, counted from 0. `features` are those the problem names
    (default: the schema's), `against` is what to call the schema's model, such as "version 3".
    Without a reference nothing can drift.
    Of a table `on_disk` the frame is a sample, by which drift is measured. Raises InvalidTable if there are no rows.
    """
    if frame.empty:
        raise InvalidTable("the table has no rows to check")
    named = schema.names if features is None else features
    skews = find_skews(schema, reference, columns, frame, parse_failures, named, against or "the schema", on_disk)
    drifts = tuple(find_drifts(schema, reference, frame)) if reference else ()
    return Report(
        on_disk.rows if on_disk else len(frame),
        against,
        schema.target.name,
        skews,
        drifts,
        tuple(find_notes(reference, frame)),
    )


def find_notes(reference: Reference | None, frame: pd.DataFrame) -> Iterator[str]:
    """Yield what else may be worth a look: rows that repeat others, and on the first time columns of one value."""
    repeated, before = share_duplicates(frame), reference.duplicates if reference else 0.0
    if repeated - before >= DUPLICATES_NOTED:
        grown = f", {format_share(before)} before" if reference else ""
        yield f"{format_share(repeated)} of the rows repeat another in every column that is read{grown}"
    constant = [] if reference else [quote(str(name)) for name in frame if _is_constant(frame[name])]
    if constant:
        more = f" and {len(constant) - MAX_SHOWN:,} more" if len(constant) > MAX_SHOWN else ""
        yield f"the same in every row: {', '.join(constant[:MAX_SHOWN])}{more}"


def _is_constant(column: "pd.Series[Any]") -> bool:
    return bool((column == column.iloc[0]).all())  # nothing equals a missing value


def _list_some(title: str, lines: Sequence[str]) -> list[str]:
    more = [f"… and {len(lines) - MAX_SHOWN:,} more"] if len(lines) > MAX_SHOWN else []
    return [title, *(f"  {line}" for line in [*lines[:MAX_SHOWN], *more])] if lines else []
