"""A table that can be trained on: what was read, its schema, its parts, and their labels."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ekiben.contract.errors import InvalidTable
from ekiben.contract.schema import Schema
from ekiben.training.checks.gate import reject_nul_bytes
from ekiben.training.dataset.privacy import hide_example
from ekiben.training.dataset.schema_learning import learn_schema
from ekiben.training.dataset.split import SEED, Parts, split_table
from ekiben.training.dataset.target import (
    check_parts,
    check_rows,
    describe_target,
    encode_labels,
    learn_from_summary,
    summarize_target,
)
from ekiben.training.network.links import Link
from ekiben.training.problem import ProblemConfig
from ekiben.training.progress import show_progress
from ekiben.training.sources import Source
from ekiben.training.tables.read import LEFT_OUT, Spill, Table, read_table
from ekiben.training.versions.snapshots import load_table

Weights = np.ndarray | None  # (rows,)


@dataclass(frozen=True)
class Prepared:
    """What was read, its schema, its parts, their labels and, where the problem names a column of them, weights."""

    table: Table
    schema: Schema
    parts: Parts
    labels: tuple[np.ndarray, np.ndarray, np.ndarray]  # of the parts, (rows,) each
    weights: tuple[Weights, Weights, Weights] = (None, None, None)  # alike
    decision: str = ""  # why the schema decides as it does, for people
    link: Link | None = None  # the scale that a number is learned on, once it is chosen
    scale: str = ""  # why it is this one, for people

    @property
    def training_labels(self) -> np.ndarray:
        """The labels of all rows to train on, (rows,)."""
        return self.labels[0]


def read_with_progress(
    problem: ProblemConfig,
    rows: int | None,
    lenient: bool,
    logged: Source | None = None,
    kept: str | None = None,
    spill: Spill | None = None,
) -> Table:
    """Read the table with a progress bar, or about that many of its rows; with `kept` the one of that digest."""
    with show_progress("reading") as report:
        table = load_table(problem, kept, spill) if kept else read_table(problem, report, lenient, logged, spill)
    return table.thin(rows) if rows else table


def prepare(problem: ProblemConfig, table: Table, seed: int = SEED, say: Callable[[str], object] = print) -> Prepared:
    """Cut a table into parts and learn its schema; raise InvalidTable if it can't be trained on.

    The seed is that of a cut at random.
    """
    column = table.frame[problem.target.name]
    with telling_left_out(table):
        check_rows(problem.target, len(column))
        found = summarize_target(problem.target, column)
        target = learn_from_summary(problem.target, found)
    say(f"{len(column):,} rows of {table.source}{describe_target(target, found)}")
    for note in table.notes:
        say(note)
    strata = None if target.task == "regression" else encode_labels(target, column)
    parts = split_table(table.frame, problem.split, strata, seed)
    if left := len(table.frame) - len(parts.train) - len(parts.validation) - len(parts.test):
        say(f"left out: {left:,} rows whose `{problem.split.group}` has more rows in another part")
    labels = [encode_labels(target, part[target.name]) for part in (parts.train, parts.validation, parts.test)]
    check_parts(target, dict(zip(("training", "validation", "test"), labels, strict=True)))
    declared = {name: feature.facts() for name, feature in problem.features.items()}
    schema = learn_schema(problem.name, table.frame, target, declared, parts.train)
    schema = hide_example(schema, table.frame, problem.privacy.example)
    reject_nul_bytes(schema)
    weights = [find_weights(part, problem.weight) for part in (parts.train, parts.validation, parts.test)]
    return Prepared(table, schema, parts, (labels[0], labels[1], labels[2]), (weights[0], weights[1], weights[2]))


@contextmanager
def telling_left_out(table: Table) -> Iterator[None]:
    """Add to what is wrong with a table which rows were left out of it: those that are missed may be among them."""
    try:
        yield
    except InvalidTable as error:
        notes = "; ".join(note for note in table.notes if note.startswith(LEFT_OUT))
        if not notes:
            raise
        raise InvalidTable(f"{error} ({notes})") from None


def find_weights(part: pd.DataFrame, weight: str | None) -> Weights:
    """Return for how many rows each of a part stands, (rows,); None: for itself."""
    return part[weight].to_numpy(np.float64) if weight else None
