"""Logged rows with labels as the next training table: `ekiben train --from-log`.

The service logged what it had validated, in the schema's types: numbers are numbers and moments are moments, so nothing
of it is read by a column's spelling again. What the network saw is what the next one is fitted to.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ekiben.contract.log_columns import SHARE, TIME, name_columns
from ekiben.contract.reference.reference import Reference
from ekiben.contract.schema import Schema, Target
from ekiben.training.problem import ProblemConfig
from ekiben.training.truth.alarmed_days import AlarmedDays, find_alarmed_days
from ekiben.training.truth.folder import InvalidLog, LogFolder, open_folder
from ekiben.training.truth.label_values import write_labels
from ekiben.training.truth.labels import Labels
from ekiben.training.truth.log_problem import describe_unlogged, fit_problem
from ekiben.training.truth.lost_features import are_hashes, find_lost
from ekiben.training.truth.matching import describe_matches, match
from ekiben.training.truth.parts import read_part
from ekiben.training.truth.score import read_labels
from ekiben.training.wording import count, format_share


@dataclass(frozen=True)
class LogTable:
    """A row log and where its labels are, as the user named them."""

    folder: str
    labels: str | None = None  # a table, in place of the labels in the folder
    query: str | None = None
    force: bool = False  # train on days with alarms, too


@dataclass
class LoggedTable:
    """The source of a log's labelled rows: the features, the target, and the time to split by."""

    folder: LogFolder
    target: Target
    labels: Labels
    features: Mapping[str, str]  # and their columns in the log
    vocabularies: Mapping[str, frozenset[str]]  # of the categories, as the champion knows them
    time: str | None  # what to call the time of the answer, if rows are split by it
    zoned: frozenset[str]  # the moments that are read in UTC; the others are naive
    notes: tuple[str, ...] = ()
    rows: int | None = None
    typed: bool = True
    alarmed: AlarmedDays | None = None  # whose rows are left out
    _known: NDArray[np.bool_] = field(init=False)

    def __post_init__(self) -> None:
        self._known = np.zeros(len(self.labels.ids), bool)

    @property
    def description(self) -> str:
        return f"the log {self.folder.name}"

    @property
    def columns(self) -> tuple[str, ...]:
        return (*self.features, self.target.name, *((self.time,) if self.time else ()))

    def batches(self, columns: Sequence[str], report: Callable[[float], None]) -> Iterator[pa.RecordBatch]:
        """Yield the labelled rows of each part; of rows with one id only the first that is found."""
        rows, repeats, faulty, shares = 0, 0, 0, [1.0]
        for part, found in match(self.read_parts(report), self.labels):
            first = self._take_first(found)
            rows += len(found)
            repeats += int(np.count_nonzero(found >= 0) - len(first))
            shares += pc.unique(part[SHARE]).to_pylist()
            kept = first if self.alarmed is None else first[~self.alarmed.find(part)[first]]
            faulty += len(first) - len(kept)
            yield self._to_batch(part.take(kept), found[kept], columns)
        self.notes = tuple(self._describe(rows, repeats, min(shares), max(shares[1:], default=1.0)))
        if faulty and self.alarmed:
            self.notes += self._describe_faulty(self.alarmed, faulty)

    def _describe_faulty(self, alarmed: AlarmedDays, faulty: int) -> tuple[str, ...]:
        said = f"{count(faulty, 'labelled row')} of {alarmed.describe()}"
        if faulty == int(self._known.sum()):
            raise InvalidLog(f"all that could be trained on is {said}: --force trains on them, if the change is meant")
        return (f"left out: {said}; --force trains on them, if the change is meant",)

    def read_parts(self, report: Callable[[float], None]) -> Iterator[pa.Table]:
        """Yield all rows of each part that holds the features as they came; others are left out and said."""
        for number, path in enumerate(self.folder.rows, 1):
            part = read_part(self.target, self.folder, path, tuple(self.features.values()))
            if part is not None and not self._holds_hashes(path, part):
                yield part
            report(number / len(self.folder.rows))

    def _holds_hashes(self, path: str, part: pa.Table) -> bool:
        """Return whether a part holds hashes in place of a feature; it is then left out."""
        for name, column in self.features.items():
            is_text = pa.types.is_string(part[column].type)
            if is_text and (name not in self.vocabularies or are_hashes(part[column], self.vocabularies[name])):
                self.folder.leave_out(path, f"`{name}` is hashed in it")
                return True
        return False

    def _take_first(self, found: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the positions of rows whose label no row before has had."""
        labelled = np.flatnonzero(found >= 0)
        fresh = labelled[~self._known[found[labelled]]]
        _, first = np.unique(found[fresh], return_index=True)
        self._known[found[fresh]] = True
        return fresh[np.sort(first)]

    def _to_batch(self, part: pa.Table, label_of: NDArray[np.int64], columns: Sequence[str]) -> pa.RecordBatch:
        arrays = {name: self._set_zone(name, part[column]) for name, column in self.features.items()}
        arrays[self.target.name] = write_labels(self.target, self.labels.values[label_of])
        if self.time:
            arrays[self.time] = self._set_zone(self.time, part[TIME])
        return pa.record_batch([arrays[name] for name in columns], names=list(columns))

    def _set_zone(self, name: str, column: pa.ChunkedArray) -> pa.Array:
        """Return a column, a moment in it with UTC if it is zoned; the log leaves that open."""
        values = column.combine_chunks()
        if not pa.types.is_timestamp(values.type):
            return values
        return values.cast(pa.timestamp(values.type.unit, "UTC" if name in self.zoned else None))

    def _describe(self, rows: int, repeats: int, least: float, most: float) -> Iterator[str]:
        labelled = int(self._known.sum())
        yield from self.folder.describe_left_out()
        yield from self.labels.notes
        yield from describe_matches(self.folder, self.labels, self._known, least < 1)
        if not labelled:
            raise InvalidLog(
                f"none of the {count(rows, 'row')} logged in {self.folder.name} has a label yet: send labels to "
                "POST /feedback, or name their table with --labels"
            )
        if unlabelled := rows - repeats - labelled:
            yield f"left out: {count(unlabelled, 'row')} without a label"
        if repeats:
            yield f"left out: {count(repeats, 'row')} whose id was logged before"
        if least < 1:
            kept = format_share(least) if least == most else f"{format_share(least)} to {format_share(most)}"
            yield f"the log holds {kept} of the rows that were answered: each counts once in training"


def open_logged(
    problem: ProblemConfig,
    schema: Schema | None,
    log: LogTable,
    accept_change: bool,
    reference: Reference | None = None,
) -> tuple[ProblemConfig, LoggedTable]:
    """Return the problem as the log allows it, and the source to read in place of its own.

    `schema` is that of the champion, whose classes the labels are, and `reference` what it was trained on: days that
    have alarms beside it are left out, unless the user forces them in. Raises InvalidLog if there is none, or if a
    feature was dropped or hashed and that is not accepted as a change of the schema.
    """
    if schema is None:
        raise InvalidLog(f"a log is read by its model's schema, and `{problem.name}` has no champion: train on a table")
    folder = open_folder(log.folder)
    vocabularies = {feature.name: frozenset(feature.vocabulary) for feature in schema.categories}
    columns = name_columns(schema)
    lost = find_lost(problem, folder, columns, vocabularies)
    if lost:
        said = ", ".join(f"`{name}` is {why}" for name, why in lost.items())
        if not accept_change or len(lost) == len(problem.features):
            raise InvalidLog(f"{said} in {folder.name}: log it as it is, or train without it by --accept-schema-change")
        print(f"trained without what the log does not hold: {said}")
    changed = fit_problem(problem, schema, folder, log.folder, lost)
    if unlogged := describe_unlogged(problem, changed.features):
        print(f"no feature, so not in the log: {unlogged}")
    zoned = frozenset(feature.name for feature in schema.timestamps if feature.zoned)
    time = problem.split.moment if problem.split.moment not in changed.features else None
    if time and problem.split.zoned:
        zoned |= {time}
    labels = read_labels(schema, problem, folder, log.labels, log.query)
    kept = {name: columns.get(name, name) for name in changed.features}
    logged = LoggedTable(folder, schema.target, labels, kept, vocabularies, time, zoned)
    if reference is not None and reference.alarms is not None and not log.force:
        judged = {name: kept[name] for name in schema.names if name in kept}
        parts = logged.read_parts(lambda _: None)
        logged.alarmed = find_alarmed_days(schema, reference, parts, judged, datetime.now(UTC))
    return changed, logged
