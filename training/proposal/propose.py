"""Reads a table once and proposes a problem: the task, the split, the features, and what to ignore."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa

from ekiben.contract.errors import InvalidTable
from ekiben.training.proposal.column import Column
from ekiben.training.proposal.doubts.values import read_values
from ekiben.training.proposal.features import Feature, classify_column
from ekiben.training.proposal.groups import find_groups
from ekiben.training.proposal.marks import Mark, find_usual_mark
from ekiben.training.proposal.sample import Sample
from ekiben.training.proposal.setting_aside import find_aimless, find_all_leaks, find_followers, keep_some, with_doubts
from ekiben.training.proposal.split import ProposedSplit, adapt_cycles, choose_split, spell_split
from ekiben.training.proposal.target import LabelCounts, ProposedTarget, propose_target
from ekiben.training.proposal.time_parts import find_time_parts
from ekiben.training.source_config import FileSource, SqlSource
from ekiben.training.sources import Source, check_asked, open_source
from ekiben.training.tables.plain_types import unpack

BATCH_ROWS, BATCH_BYTES = 1 << 16, 1 << 26


@dataclass(frozen=True)
class Proposal:
    """What the problem file of a table says."""

    name: str
    source: FileSource | SqlSource
    description: str  # of the source
    rows: int
    unknown: int  # rows without a target
    target: ProposedTarget
    split: ProposedSplit
    features: Mapping[str, Feature]
    ignored: Mapping[str, str]  # column → why
    notes: tuple[str, ...]  # what the source has to say


@dataclass(frozen=True)
class Seen:
    """What is kept of a table that has passed by."""

    columns: dict[str, Column]
    labels: LabelCounts
    sample: Sample


def propose(
    entry: FileSource | SqlSource,
    target: str,
    *,
    name: str,
    time: str | None = None,
    report: Callable[[float], None] = lambda _: None,
) -> Proposal:
    """Return a problem for the table; raise InvalidTable if the target can't be learned from it.

    `report` gets the share read so far, from 0 to 1.
    """
    source = open_source(entry)
    check_asked(source, [target] if time is None else [target, time])
    return judge(look(source, entry, target, report), source, entry, target, name, time)


def judge(
    seen: Seen, source: Source, entry: FileSource | SqlSource, target: str, name: str, time: str | None = None
) -> Proposal:
    """Return a problem for a table that has passed by; raise InvalidTable if the target can't be learned from it."""
    column = seen.columns[target]
    proposed = propose_target(column, seen.labels, source.typed, find_mark(seen, entry))
    classified = {name: found for name, found in classify(seen, entry).items() if name != target}
    features = {name: found for name, found in classified.items() if isinstance(found, Feature)}
    if not features:
        raise InvalidTable(f"{source.description} has no column to predict `{target}` from{_explain(classified)}")
    sampled = read_values(seen.sample, features, target, proposed.reading)
    parts = sampled.check_parts(find_time_parts(column for name, column in seen.columns.items() if name != target))
    split = choose_split(time, classified, parts, sampled.are_alike)
    candidates = adapt_cycles(features, split)
    ignored = {name: found for name, found in classified.items() if isinstance(found, str)}
    followers = find_followers(candidates, sampled, split)
    ignored |= find_aimless(candidates) | followers.copies
    candidates = {name: feature for name, feature in candidates.items() if name not in ignored}
    candidates = with_doubts(candidates, followers.rising)
    leaks = find_all_leaks(candidates, sampled, split, proposed.reading is None)
    kept = keep_some(candidates, leaks, split)
    if not kept:
        raise InvalidTable(f"{source.description} has no column to predict `{target}` from{_explain(ignored)}")
    ignored |= {name: reason for name, reason in leaks.items() if name not in kept}
    return Proposal(
        name=name,
        source=entry,
        description=source.description,
        rows=column.rows,
        unknown=column.rows - column.values,
        target=proposed,
        split=replace(spell_split(split, features, kept), groups=find_groups(seen.columns, features)),
        features=kept,
        ignored={name: ignored[name] for name in classified if name in ignored},
        notes=source.notes,
    )


def classify(seen: Seen, entry: FileSource | SqlSource) -> dict[str, Feature | str]:
    """Return the feature that each column could be, or why it can be none."""
    usual = find_mark(seen, entry)
    return {name: classify_column(column, usual) for name, column in seen.columns.items()}


def find_mark(seen: Seen, entry: FileSource | SqlSource) -> Mark:
    """Return the decimal mark of most of the table's columns."""
    return find_usual_mark(seen.columns.values(), isinstance(entry, FileSource) and entry.delimiter == ";")


def look(source: Source, entry: FileSource | SqlSource, target: str | None, report: Callable[[float], None]) -> Seen:
    """Read a table once, in bounded memory; raise InvalidTable if it has no rows."""
    said = entry if isinstance(entry, FileSource) else None
    null = said.null if said else ()
    decimal = said.decimal if said and "decimal" in said.model_fields_set else None
    columns = {name: Column(name, decimal, null) for name in source.columns}
    seen = Seen(columns, LabelCounts(null), Sample(len(columns)))
    for batch in _join(source.batches(source.columns, report)):
        arrays: dict[str, pa.Array] = dict(zip(columns, batch.columns, strict=True))
        for name, raw in arrays.items():
            columns[name].add(raw)
        if target is not None:
            seen.labels.add(arrays[target])
        seen.sample.add(pa.record_batch([unpack(raw) for raw in batch.columns], names=list(columns)))
    if not any(column.rows for column in columns.values()):
        raise InvalidTable(f"{source.description} has no rows")
    return seen


def _join(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Yield the same rows in batches that are worth their while."""
    held: list[pa.RecordBatch] = []
    for batch in batches:
        held.append(batch)
        if sum(one.num_rows for one in held) >= BATCH_ROWS or sum(one.nbytes for one in held) >= BATCH_BYTES:
            yield pa.concat_batches(held)
            held = []
    if held:
        yield pa.concat_batches(held)


def _explain(reasons: Mapping[str, Any]) -> str:
    name, reason = next(iter(reasons.items()), ("", ""))
    return f" (`{name}`: {reason})" if len(reasons) == 1 else ""
