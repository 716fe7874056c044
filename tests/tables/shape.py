"""What it costs, or brings, to declare an order of classes or a direction of numbers: `python -m tests.tables.shape`.

Real tables of `make tables`' environment, each fitted with and without what is declared, on the same split, one thread.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
os.environ.setdefault("TF_NUM_INTEROP_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

from ekiben.contract.errors import UserError
from ekiben.contract.feature import Direction
from ekiben.contract.schema import Label
from ekiben.load_tests.machine import describe_machine
from ekiben.training.arguments import positive
from ekiben.training.preparation import prepare
from ekiben.training.problem import ProblemConfig
from ekiben.training.tables.read import read_table
from tests.tables.product import measure_product
from tests.tables.real import TABLES, open_problem

HEAD = "| table | declared | seed | metrics without | metrics with | fit CPU s | µs at 1 | at 64 |\n"
HEAD += "|---|---|--:|---|---|--:|--:|--:|"
SHOWN = {
    "binary": ("auc", "log_loss"),
    "multiclass": ("accuracy", "log_loss", "class_mae", "quadratic_kappa"),
    "regression": ("r2", "rmse"),
}


@dataclass(frozen=True)
class Declared:
    """What is said of a real table."""

    table: str
    ordered: tuple[Label, ...] = ()
    directions: dict[str, Direction] = field(default_factory=dict)


DECLARED = (
    Declared("ames", directions={"Gr_Liv_Area": "up", "Lot_Area": "up", "Year_Built": "up"}),
    Declared("credit", directions={"Income": "down", "Seniority": "down", "Debt": "up"}),  # of a bad payer
    Declared("hpc", ordered=("VF", "F", "M", "L")),  # from very fast to long
)
NAMES = [one.table for one in DECLARED]


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a line for each table and seed; return 1 if a table can't be opened."""
    parser = argparse.ArgumentParser(prog="python -m tests.tables.shape", description=__doc__.splitlines()[0])
    parser.add_argument("--tables", nargs="+", default=NAMES, choices=NAMES, metavar="NAME")
    parser.add_argument("--seeds", type=positive, default=1, help="how many (%(default)s)")
    options = parser.parse_args(arguments)
    print(f"{describe_machine()}\n\n{HEAD}")
    for one in DECLARED:
        for seed in range(options.seeds if one.table in options.tables else 0):
            try:
                print(compare(one, seed), flush=True)
            except UserError as error:
                print(f"{one.table}: {error}", file=sys.stderr)
                return 1
    return 0


def compare(said: Declared, seed: int) -> str:
    """Return a table's line."""
    with tempfile.TemporaryDirectory() as folder:
        (table,) = (table for table in TABLES if table.name == said.table)
        plain = open_problem(table, Path(folder))
        (scores, *costs), (shaped, *shaped_costs) = (
            measure(problem, seed) for problem in (plain, declare(plain, said))
        )
    names = SHOWN[plain.target.task]
    metrics = (", ".join(f"{name} {found[name]:.4f}" for name in names if name in found) for found in (scores, shaped))
    what = " < ".join(map(str, said.ordered)) or ", ".join(f"{name} {way}" for name, way in said.directions.items())
    spent = (f"{before:.1f} → {after:.1f}" for before, after in zip(costs, shaped_costs, strict=True))
    return f"| {said.table} | {what} | {seed} | {' | '.join(metrics)} | {' | '.join(spent)} |"


def declare(problem: ProblemConfig, said: Declared) -> ProblemConfig:
    """Return the problem with what is said of its table."""
    given = problem.model_dump(exclude_unset=True)
    for name, way in said.directions.items():
        given["features"][name]["monotone"] = way
    if said.ordered:
        given["target"] = {**given["target"], "ordered": said.ordered, "classes": ()}
    return ProblemConfig.model_validate(given)


def measure(problem: ProblemConfig, seed: int) -> tuple[dict[str, float], float, float, float]:
    """Return the scores on the test rows, the fit's CPU seconds, and LiteRT's µs a row in batches of 1 and 64."""
    prepared = prepare(problem, read_table(problem, lambda _: None), seed, say=lambda _: None)
    scores, spent, (single, many) = measure_product(problem, prepared, seed)
    return scores, spent, single, many


if __name__ == "__main__":
    sys.exit(main())
