"""Any table, read once in bounded memory: what its columns are, a sample of its rows, and a problem to learn."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pydantic import TypeAdapter

from ekiben.contract.errors import InvalidTable
from ekiben.contract.schema import Target
from ekiben.contract.spellings.spelling import spelling_of
from ekiben.training.dataset.target import encode_labels
from ekiben.training.exploring.showing import mark, spell
from ekiben.training.feature_config import Declared
from ekiben.training.preparation import Prepared, prepare
from ekiben.training.problem import ProblemConfig
from ekiben.training.proposal.command import choose_name, describe
from ekiben.training.proposal.features import Feature
from ekiben.training.proposal.file import render
from ekiben.training.proposal.propose import Proposal, Seen, classify, judge, look
from ekiben.training.proposal.sample import Sample
from ekiben.training.source_config import AnySource, FileSource, SqlSource
from ekiben.training.sources import check_asked, open_source
from ekiben.training.tables.column_readers import ColumnReader, choose_readers
from ekiben.training.tables.moments import add_moments
from ekiben.training.tables.read import leave_out_rows
from ekiben.training.tables.table import Table
from ekiben.training.wording import count

MAX_LINES = 40  # of a list
SOURCE: TypeAdapter[Any] = TypeAdapter(AnySource)


@dataclass(frozen=True)
class Look:
    """What was found out about a table."""

    name: str  # of the table, without its folder
    rows: int
    columns: Mapping[str, Feature | str]  # the feature that each could be, or why it can be none
    frame: pd.DataFrame  # a sample of its rows: the target, and each column that could be a feature, as its kind
    notes: tuple[str, ...]
    proposal: Proposal | None = None
    problem: ProblemConfig | None = None
    prepared: Prepared | None = None  # the sampled rows that have a target, cut into parts
    trouble: str = ""  # why there is no model to make of it, if one was asked for

    @property
    def unused(self) -> dict[str, str]:
        """The columns that can't be features, and why."""
        return {name: found for name, found in self.columns.items() if isinstance(found, str)}

    def describe(self) -> str:
        """Return how large the table is, and how much of it is looked at."""
        size = f"{count(self.rows, 'row')} and {count(len(self.columns), 'column')}"
        if len(self.frame) == self.rows:
            return f"{size}, all of them looked at"
        return f"{size}; what follows is of {len(self.frame):,} rows, drawn at random"


def look_at(source: Mapping[str, Any], target: str | None = None, time: str | None = None) -> Look:
    """Read a table, as `[source]` of a problem file names it, once; keep at most 10,000 of its rows.

    Raises InvalidTable if it can't be read, has no rows or no such column. If the target can't be
    learned, the look has no proposal, and says why.
    """
    entry: FileSource | SqlSource = SOURCE.validate_python(dict(source))
    opened = open_source(entry)
    check_asked(opened, [name for name in (target, time) if name is not None])
    seen = look(opened, entry, target, lambda _: None)
    columns = classify(seen, entry)
    rows = max(column.rows for column in seen.columns.values())
    name = entry.path.absolute().name if isinstance(entry, FileSource) else choose_name(entry)
    found = Look(name, rows, columns, read_sample(seen.sample, columns), opened.notes)
    if target is None:
        return found
    try:
        proposal = judge(seen, opened, entry, target, choose_name(entry), time)
        frame = read_others(proposal, seen, opened.typed, found.frame)
        found = replace(found, frame=frame, proposal=replace(proposal, description=name))
        return replace(found, problem=to_problem(proposal), prepared=prepare_sample(found))
    except InvalidTable as error:
        return replace(found, trouble=str(error))


def read_sample(sample: Sample, columns: Mapping[str, Feature | str]) -> pd.DataFrame:
    """Return the sampled rows of the columns that could be features, as what they could be."""
    read = {}
    for name, found in columns.items():
        if isinstance(found, Feature):
            declared = Declared(**found.facts)
            reader = ColumnReader(name, declared.kind, spelling_of(declared))
            reader.add(sample.column(name), 0)
            read[name] = reader.finish()
    return pd.DataFrame(read, index=pd.RangeIndex(sample.rows))


def read_others(proposal: Proposal, seen: Seen, typed: bool, frame: pd.DataFrame) -> pd.DataFrame:
    """Return the sampled rows with all that training reads: the target, too, and the time to split by."""
    problem = to_problem(proposal)
    readers = choose_readers(problem, typed)
    others = {name: readers[name] for name in problem.columns if name not in frame}
    for name, reader in others.items():
        reader.add(seen.sample.column(name), 0)
    return add_moments(frame.assign(**{name: reader.finish() for name, reader in others.items()}), problem.split)


def to_problem(proposal: Proposal) -> ProblemConfig:
    """Return what `ekiben train` would read in the file that `ekiben init` writes."""
    return ProblemConfig.model_validate(tomllib.loads(render(proposal, Path())))


def list_unused(look: Look) -> str | None:
    """Return which columns can't be features, and why, as a list in Markdown; None if all can."""
    lines = [f"- {mark(name)} is no feature: {spell(reason)}" for name, reason in look.unused.items()]
    more = [f"- … and {len(lines) - MAX_LINES:,} more"] if len(lines) > MAX_LINES else []
    return "\n".join(lines[:MAX_LINES] + more) or None


def show_problem(proposal: Proposal) -> str:
    """Return what was found and the lines of the problem file, but for those of its source."""
    _, *sections = render(proposal, Path()).split("\n\n")
    kept = [cut_lines(lines) for lines in sections if not lines.startswith("[source]")]
    return "\n\n".join([describe(proposal), *kept])


def cut_lines(section: str) -> str:
    """Return the first lines of a section of a file, and how many more there are."""
    lines = section.split("\n")
    more = [f"# … and {len(lines) - MAX_LINES:,} more"] if len(lines) > MAX_LINES else []
    return "\n".join(lines[:MAX_LINES] + more)


def prepare_sample(look: Look) -> Prepared:
    """Return the sampled rows that have a target, cut into parts; raise InvalidTable if they can't be trained on."""
    assert look.proposal is not None
    problem = to_problem(look.proposal)
    columns = dict.fromkeys([*problem.columns, *filter(None, [problem.split.moment])])
    table = Table(look.frame[list(columns)], tuple(look.columns), (), (), look.name, look.notes)
    return prepare(problem, leave_out_rows(problem, table), say=lambda _: None)


def list_labels(look: Look, target: Target) -> tuple[pd.DataFrame, np.ndarray]:
    """Return the sampled rows whose target is known, with every column that could be a feature, and their labels."""
    known = look.frame[look.frame[target.name].notna()]
    return known, encode_labels(target, known[target.name])
