"""Volume and freshness: are there enough rows with a label, and is the newest of them new enough?"""

from datetime import UTC, datetime, timedelta

import pandas as pd

from ekiben.contract.validation import show
from ekiben.pipeline.records.record import Verdict, go, stop
from ekiben.training.durations import read_seconds
from ekiben.training.problem import ProblemConfig
from ekiben.training.streaming.preparing import summarize_labels
from ekiben.training.tables.read import Table
from ekiben.training.wording import count


def judge_volume(problem: ProblemConfig, table: Table) -> Verdict:
    """Stop a table with too few rows that have a label, or too few of one class."""
    rows, wanted = table.rows, problem.pipeline
    if wanted.min_rows is not None and rows < wanted.min_rows:
        sentence = f"{count(rows, 'row')} with a label, fewer than min_rows = {wanted.min_rows:,}: wait for more"
        return stop("volume", sentence)
    if wanted.min_class_rows is not None and problem.target.task != "regression":
        counts = count_labels(problem, table)
        label, least = counts.index[-1], int(counts.iloc[-1])
        if least < wanted.min_class_rows:
            sentence = (
                f"{count(least, 'row')} with `{problem.target.name}` {show(label)}, fewer than min_class_rows = "
                f"{wanted.min_class_rows:,}: wait for more"
            )
            return stop("volume", sentence)
    return go("volume", f"{count(rows, 'row')} with a label")


def count_labels(problem: ProblemConfig, table: Table) -> "pd.Series[int]":
    """Return the rows of each class, the most frequent first."""
    if table.on_disk is None:
        return table.frame[problem.target.name].value_counts()
    counts = summarize_labels(problem, table.on_disk).counts
    assert counts is not None  # of a classification
    return counts


def judge_freshness(problem: ProblemConfig, table: Table, now: datetime) -> Verdict:
    """Stop a table whose newest row with a label is too old; `now` has a time zone."""
    wanted, time = problem.pipeline.max_age, problem.split.moment
    if wanted is None:
        return go("freshness", "no max_age is asked for")
    if time is None:
        sentence = "max_age needs the time of a row: name its column in [split] time"
        return stop("freshness", sentence)
    newest = table.find_span(time)[1].to_pydatetime()
    newest = newest.replace(tzinfo=UTC) if newest.tzinfo is None else newest
    said = f"the newest row with a label is of {newest:%Y-%m-%d %H:%M}"
    if now - newest > timedelta(seconds=read_seconds(wanted)):
        sentence = f"{said}, longer ago than max_age = {wanted}: look why no newer ones come"
        return stop("freshness", sentence)
    if newest - now > timedelta(days=1):  # a time zone is no fault
        sentence = f"{said}, and that is to come: look at the clock of its source, and at this machine's"
        return stop("freshness", sentence)
    return go("freshness", said)
