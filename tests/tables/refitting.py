"""What learning from the validation rows too brings: `python -m tests.tables.refitting`. No test row is seen.

Of the rows to train and validate on, 70% are fitted to, 15% validated on, and the last 15% scored: by time the latest,
else any. Both networks of one fit answer these: the one that chose, and the one that would be packed.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
os.environ.setdefault("TF_NUM_INTEROP_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pandas as pd

from ekiben.contract.errors import UserError
from ekiben.load_tests.machine import describe_machine
from ekiben.training.arguments import seed
from ekiben.training.dataset.split import Parts
from ekiben.training.fitting import fit, score_network
from ekiben.training.network.fit import FitOptions
from ekiben.training.preparation import Prepared
from tests.tables.data import cpu_seconds
from tests.tables.measuring import open_table, quietly
from tests.tables.real import TABLES, RealTable
from tests.tables.report import LOSSES, METRICS, describe_differences

FITTED, VALIDATED = 0.7, 0.85  # where the parts end
HEAD = """\
| table | split | rows fitted | metric | chosen | refitted | difference | loss: chosen | refitted | fit CPU s |
|---|---|--:|---|--:|--:|--:|--:|--:|--:|"""


def cut_again(prepared: Prepared, time: str | None, drawn: int) -> Prepared:
    """Return a table without its test rows, in whose place are some of the others."""
    frame = pd.concat([prepared.parts.train, prepared.parts.validation])
    labels = np.concatenate(prepared.labels[:2])
    order = np.random.default_rng(99 + drawn).permutation(len(frame))
    order = frame[time].argsort(kind="stable").to_numpy() if time else order
    places = np.split(order, [int(len(frame) * FITTED), int(len(frame) * VALIDATED)])
    train, validation, test = (frame.iloc[rows] for rows in places)
    sizes = (len(train), len(validation), len(test))
    return Prepared(
        prepared.table, prepared.schema, Parts(train, validation, test, sizes),
        (labels[places[0]], labels[places[1]], labels[places[2]]), link=prepared.link, scale=prepared.scale,
    )  # fmt: skip


def measure(table: RealTable, drawn: int) -> tuple[str, float] | None:
    """Return a table's line, and the difference of its metric; None if it is not fitted again."""
    with tempfile.TemporaryDirectory() as folder:
        opened = open_table(table, drawn, Path(folder))
    time, began = opened.problem.split.moment, cpu_seconds()
    with quietly():
        prepared = cut_again(opened.prepared, time, drawn)
        fitted = fit(opened.problem, prepared, FitOptions(seed=drawn))
    if not fitted.refitted:
        return None
    spent = cpu_seconds() - began
    chosen, refitted = (score_network(prepared, one).scores for one in (fitted.choosing, fitted.network))
    task = prepared.schema.target.task
    metric, loss = METRICS[task], LOSSES[task]
    difference = refitted[metric] - chosen[metric]
    columns = [
        table.name, "by time" if time else "at random", f"{prepared.parts.sizes[0]:,}", metric, f"{chosen[metric]:.4f}",
        f"{refitted[metric]:.4f}", f"{difference:+.4f}", f"{chosen[loss]:.4g}", f"{refitted[loss]:.4g}", f"{spent:.0f}",
    ]  # fmt: skip
    return f"| {' | '.join(columns)} |", difference


def main(arguments: Sequence[str] | None = None, tables: Sequence[RealTable] = TABLES) -> int:
    """Print a line a table, and what they add up to; return 1 if one can't be opened."""
    parser = argparse.ArgumentParser(prog="python -m tests.tables.refitting", description=__doc__.splitlines()[0])
    known = {table.name: table for table in tables}
    parser.add_argument("--tables", nargs="+", default=[*known], choices=known, metavar="NAME")
    parser.add_argument("--seed", type=seed, default=0)
    options = parser.parse_args(arguments)
    print(f"{describe_machine()}; seed {options.seed}\n\n{HEAD}", flush=True)
    differences: dict[str, float] = {}
    for name in options.tables:
        try:
            measured = measure(known[name], options.seed)
        except UserError as error:
            print(f"{name}: {error}", file=sys.stderr)
            return 1
        if measured:
            line, differences[name] = measured
            print(line, flush=True)
    if differences:
        print("\n| tables | mean | median | worst | wins : losses | p (Wilcoxon) |\n|--:|--:|--:|--:|--:|--:|")
        print(f"| {describe_differences(differences)} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
