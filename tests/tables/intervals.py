"""How often intervals hold over time, as fitted and renewed by labels: `python -m tests.tables.intervals`.

Each table is fitted on its earlier rows as `ekiben train` fits; its test rows are then answered in the order of their
time, and their labels come a while later. `ekiben recalibrate` replays that: as answered, and with a margin that is
renewed where each week or day begins.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
os.environ.setdefault("TF_NUM_INTEROP_THREADS", "1")

import numpy as np

from ekiben.contract.errors import UserError
from ekiben.load_tests.machine import describe_machine
from ekiben.training.adaptation.adapt import replay_periods
from ekiben.training.adaptation.answered import Answered
from ekiben.training.adaptation.replay import Replay
from ekiben.training.evaluate.coverage import describe, find_off
from ekiben.training.fitting import fit, score_network
from ekiben.training.network.fit import FitOptions
from ekiben.training.truth.live_scores import DAY_US, DAYS
from tests.tables.data import cpu_seconds
from tests.tables.made_streams import SCALES, make_stream
from tests.tables.measuring import open_table, quietly
from tests.tables.real import TABLES, RealTable

NAMES = ("chicago", "hotels")  # numbers, split by time, with as many days as a replay needs
HEAD = """\
| table | labels | held as answered | missed 80% by | off | held renewed | missed 80% by | off | wider by |
|---|--:|--:|--:|--:|--:|--:|--:|--:|"""


def measure(table: RealTable, seed: int, lag_days: float, period: str, verbose: bool) -> str:
    """Fit, replay and return a line of the table."""
    with tempfile.TemporaryDirectory() as folder:
        opened = open_table(table, seed, Path(folder))
    prepared, time = opened.prepared, opened.problem.split.moment
    if prepared.schema.target.task != "regression" or time is None:
        raise UserError(f"{table.name} is not a number that is split by time")
    with quietly():
        answers = score_network(prepared, fit(opened.problem, prepared, FitOptions(seed=seed)).network).answers
    answered = order_rows(prepared.parts.test[time], prepared.labels[2], answers, lag_days)
    replayed = replay_periods(answered, period, prepared.schema.target.scale)
    if verbose:
        for one in replayed.periods:
            print(f"{one.answered.name}  {one.answered.rows:>5}  {describe(one.answered)}  {describe(one.adapted)}")
    return describe_replay(table.name, replayed)


def order_rows(times: object, labels: np.ndarray, answers: np.ndarray, lag_days: float) -> Answered:
    """Return test rows as if each had been answered at its time, and its label had come so many days later."""
    moments = np.asarray(times, "datetime64[us]").astype(np.int64)
    order = np.argsort(moments, kind="stable")
    value, low, high = answers[order].astype(np.float64).T
    none, one = np.zeros(len(order)), np.ones(len(order))
    came = moments[order] + int(lag_days * DAY_US)
    return Answered(moments[order], came, labels[order].astype(np.float64), value, low, high, none, one)


def describe_replay(name: str, replayed: Replay) -> str:
    """Return a line: the share of all rows, how far periods are from 80%, and how much wider intervals became."""
    rows = [one.answered.rows for one in replayed.periods]
    kinds = [[one.answered for one in replayed.periods], [one.adapted for one in replayed.periods]]
    cells = [name, f"{replayed.labels:,}"]
    for parts, missed in zip(kinds, (replayed.missed_answered, replayed.missed_adapted), strict=True):
        held = np.average([part.share for part in parts], weights=rows)
        cells += [f"{held:.1%}", f"{missed:.1%}", f"{len(find_off(parts))} of {len(parts)}"]
    before, after = (np.average([part.width for part in parts], weights=rows) for parts in kinds)
    return f"| {' | '.join([*cells, f'{after / before - 1:+.0%}'])} |"


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a line for each table."""
    parser = argparse.ArgumentParser(prog="python -m tests.tables.intervals", description=__doc__.splitlines()[0])
    parser.add_argument("--tables", default=",".join(NAMES), help="names with commas between (%(default)s)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--lag", type=float, default=1, metavar="DAYS", help="after which labels come (%(default)s)")
    parser.add_argument("--by", choices=sorted(DAYS), default="week", help="how often the margin is renewed")
    parser.add_argument("--made", action="store_true", help="made streams, in place of tables")
    parser.add_argument("--verbose", action="store_true", help="print each period")
    options = parser.parse_args(arguments)
    known = {table.name: table for table in TABLES}
    names = options.tables.split(",")
    if unknown := sorted({*names} - known.keys()):
        parser.error(f"no table is called {unknown[0]!r}: there are {', '.join(known)}")
    print(f"{describe_machine()}; labels {options.lag:g} days late, by {options.by}\n\n{HEAD}")
    for name in SCALES if options.made else ():
        stream = make_stream(name, options.seed, options.lag)
        print(describe_replay(name, replay_periods(stream, options.by, 1.0)), flush=True)
    try:
        for name in () if options.made else names:
            print(measure(known[name], options.seed, options.lag, options.by, options.verbose), flush=True)
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    print(f"took {cpu_seconds():.0f} CPU s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
