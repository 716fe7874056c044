"""A table on disk made ready to be trained on, as `ekiben.training.preparation` does one in memory.

Three more readings: of the target and the time, of all columns for the schema, and of all for the encoded rows. Rows
to train on are encoded into files; of those to validate and test on a sample that is spread evenly is held in memory.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from ekiben.contract.encoding import Encoder
from ekiben.contract.schema import Schema, Target
from ekiben.training.checks.gate import reject_nul_bytes
from ekiben.training.dataset.groups import TEST, TRAIN, VALIDATION
from ekiben.training.dataset.privacy import hide_example
from ekiben.training.dataset.schema_learning import EXAMPLE_ROWS, check_kind, learn_from_summaries
from ekiben.training.dataset.split import SEED, Parts, reject_empty
from ekiben.training.dataset.target import (
    TargetSummary,
    add_up,
    check_part,
    describe_target,
    encode_labels,
    learn_from_summary,
    summarize_target,
)  # fmt: skip
from ekiben.training.preparation import Prepared, find_weights, prepare, telling_left_out
from ekiben.training.problem import ProblemConfig
from ekiben.training.streaming.cutting import Cut, learn_cut
from ekiben.training.streaming.encoded_rows import RowWriter, StoredRows
from ekiben.training.streaming.scratch import Room
from ekiben.training.streaming.survey import Survey, join_rows, survey_columns
from ekiben.training.tables.on_disk import TableOnDisk, to_frame
from ekiben.training.tables.read import Table

OFFERED_ROWS = 20_000  # training rows that stay in memory, to draw explanations' background from


@dataclass(frozen=True, kw_only=True)
class PreparedOnDisk(Prepared):
    """What is prepared of a table on disk; its parts are samples."""

    rows: StoredRows  # to train on, all of them
    both: StoredRows  # those, and then all to validate on
    most_batch_rows: int  # that memory has room for

    @property
    def training_labels(self) -> np.ndarray:
        """The labels of all rows to train on, (rows,), on the disk."""
        return self.rows.labels


def prepare_within(
    problem: ProblemConfig, table: Table, room: Room | None, say: Callable[[str], object] = print
) -> Prepared:
    """Prepare a table where it is: in memory, or in the room on the disk; raise InvalidTable as both do."""
    return prepare_on_disk(problem, table, room, say) if room and table.on_disk else prepare(problem, table, say=say)


def prepare_on_disk(
    problem: ProblemConfig, table: Table, room: Room, say: Callable[[str], object] = print
) -> PreparedOnDisk:
    """Cut a table into parts, learn its schema and encode it; raise InvalidTable if it can't be trained on."""
    disk = table.on_disk
    assert disk is not None
    with telling_left_out(table):
        found = summarize_labels(problem, disk)
        target = learn_from_summary(problem.target, found)
    say(f"{disk.rows:,} rows of {table.source}{describe_target(target, found)}")
    for note in table.notes:
        say(note)
    cut = learn_cut(disk, problem.split, SEED)
    schema, survey = learn_schema_on_disk(problem, disk, target, cut)
    limit = room.budget.sample_rows(len(disk.kinds))
    parts, (rows, both) = encode_parts(problem.weight, disk, schema, cut, survey, limit, room.folder)
    for name, part, whole in zip(
        ("validated", "tested"), (parts.validation, parts.test), survey.sizes[1:], strict=True
    ):
        if len(part) < whole:
            say(f"{name} on {len(part):,} rows, spread evenly over {whole:,}: as many as memory allows")
    train, validation, test = (
        encode_labels(target, part[target.name]) for part in (parts.train, parts.validation, parts.test)
    )
    weights = [find_weights(part, problem.weight) for part in (parts.train, parts.validation, parts.test)]
    labels = (train, validation, test)
    most = room.budget.batch_rows(len(disk.kinds))
    return PreparedOnDisk(
        table, schema, parts, labels, (weights[0], weights[1], weights[2]), rows=rows, both=both, most_batch_rows=most
    )


def summarize_labels(problem: ProblemConfig, disk: TableOnDisk) -> TargetSummary:
    """Return what is learned from the target."""
    name = problem.target.name
    return add_up(summarize_target(problem.target, frame[name]) for frame in disk.frames([name]))


def learn_schema_on_disk(problem: ProblemConfig, disk: TableOnDisk, target: Target, cut: Cut) -> tuple[Schema, Survey]:
    """Return the schema, as it is learned in memory, and what it was learned from."""
    declared = {name: feature.facts() for name, feature in problem.features.items()}
    for name, known in declared.items():
        check_kind(name, known)
    survey, head = survey_columns(disk, declared, target, cut, EXAMPLE_ROWS)
    if problem.split.moment:
        reject_empty(problem.split, survey.sizes)
    for part, rows, (low, high) in zip(
        ("training", "validation", "test"), survey.sizes, survey.label_ends, strict=True
    ):
        check_part(target, part, rows, 2 if low < high else 1)
    schema = learn_from_summaries(problem.name, [survey.summaries[name] for name in declared], target, declared, head)
    schema = hide_example(schema, head, problem.privacy.example)
    reject_nul_bytes(schema)
    return schema, survey


def encode_parts(
    weight: str | None, disk: TableOnDisk, schema: Schema, cut: Cut, survey: Survey, limit: int, folder: Path
) -> tuple[Parts, tuple[StoredRows, StoredRows]]:
    """Encode rows into files; return samples of all parts, of at most `limit` rows each, and what is in the files.

    The rows to validate on wait behind those to train on: what is packed learns from them too.
    """
    encoder, first = Encoder(schema), 0
    limits = (min(limit, OFFERED_ROWS), limit, limit)
    steps = [max(1, -(-size // most)) for size, most in zip(survey.sizes, limits, strict=True)]
    seen = [0, 0, 0]
    kept: tuple[list[dict[str, pa.Array]], ...] = ([], [], [])
    with RowWriter(folder, schema, weight is not None) as writer:
        for columns in disk.groups():
            frame = to_frame(disk.kinds, columns)
            places = cut.place(frame, first)
            first += len(frame)
            for part in (TRAIN, VALIDATION):
                if len(trained := frame[places == part]):
                    labels = encode_labels(schema.target, trained[schema.target.name])
                    writer.add(encoder.encode(trained), labels, find_weights(trained, weight), part == VALIDATION)
            for part in (TRAIN, VALIDATION, TEST):
                here = np.flatnonzero(places == part)
                chosen = pa.array(here[-seen[part] % steps[part] :: steps[part]])
                seen[part] += len(here)
                kept[part].append({name: values.take(chosen) for name, values in columns.items()})
    train, validation, test = (join_rows(disk.kinds, part) for part in kept)
    return Parts(train, validation, test, survey.sizes), writer.open()
