"""The whole way from a folder of logged rows to live scores: `ekiben score-live`."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from ekiben.contract.log_columns import name_columns
from ekiben.contract.schema import Schema
from ekiben.contract.spellings.spelling import spelling_of
from ekiben.contract.validation import shorten, suggest
from ekiben.model.package import PackedModel
from ekiben.training.problem import ProblemConfig
from ekiben.training.sources import find_source
from ekiben.training.truth.folder import InvalidLog, LogFolder, open_folder
from ekiben.training.truth.labels import Labels, read_label_table, read_logged_labels
from ekiben.training.truth.live_scores import LiveScores, Period, score_live
from ekiben.training.truth.rows import read_rows


def score_log(
    model: PackedModel,
    problem: ProblemConfig,
    folder: str,
    table: str | None = None,
    query: str | None = None,
    period: Period = "week",
    slices: Sequence[str] | None = None,
) -> LiveScores:
    """Join a log's rows with their labels, from a table or beside them, and score them.

    Raises InvalidLog or InvalidTable if nothing can be said of them.
    """
    opened = open_folder(folder)
    labels = read_labels(model.schema, problem, opened, table, query)
    chosen = choose_slices(model.schema, problem, slices)
    declared = list(dict.fromkeys(problem.groups))
    groups = [name for name in declared if name in model.schema.names]
    columns = name_columns(model.schema)
    dropped = find_dropped(opened, {name: columns[name] for name in (*chosen, *groups)})
    notes = [
        *(f"groups by `{name}` are not compared: only features are logged" for name in declared if name not in groups),
        *(f"no scores by `{name}`: no part of the log has it" for name in dropped),
    ]
    chosen, groups = ([name for name in names if name not in dropped] for names in (chosen, groups))
    rows = read_rows(model.schema.target, opened, labels, {name: columns[name] for name in (*chosen, *groups)})
    live = score_live(model, rows, period, chosen, groups)
    return replace(live, notes=(*live.notes, *notes))


def read_labels(
    schema: Schema, problem: ProblemConfig, folder: LogFolder, table: str | None, query: str | None
) -> Labels:
    """Return the labels of a table, if one is named, else those that were logged."""
    if table is None:
        if query:
            raise InvalidLog("--query goes with a database URL in --labels")
        return read_logged_labels(schema.target, folder)
    return read_label_table(schema.target, find_source(table, query), spelling_of(problem.target))


def choose_slices(schema: Schema, problem: ProblemConfig, asked: Sequence[str] | None) -> list[str]:
    """Return the features to slice by, by default those of the problem's slices that are features."""
    if asked is None:
        return [name for name in dict.fromkeys(problem.slices) if name in schema.names]
    for name in asked:
        if name not in schema.names:
            raise InvalidLog(f"only features are logged, and `{shorten(name)}` is none{suggest(name, schema.names)}")
    return list(dict.fromkeys(asked))


def find_dropped(folder: LogFolder, columns: Mapping[str, str]) -> list[str]:
    """Return the features that no part holds, as where the problem file says `log = "drop"`; `columns` are theirs."""
    held = folder.describe_columns(columns.values())
    return [name for name, column in columns.items() if column not in held]
