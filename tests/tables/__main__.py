"""Ekiben's networks beside boosted trees on real tables: `make tables`, or `python -m tests.tables --results FILE`.

Each table goes through `ekiben init` and the product's own split; all models get the same encoded rows, and nothing is
chosen on test rows. A whole run takes hours: what is measured is kept in the file of results, and a run goes on from
there. `--compare NAME NAME` shows two recipes of the product that were measured with `--label`, by `--choosing` on
rows that may choose between them.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
# One thread for each model: their CPU seconds are compared.
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
os.environ.setdefault("TF_NUM_INTEROP_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

from ekiben.contract.errors import UserError
from ekiben.load_tests.machine import describe_machine
from tests.tables import report
from tests.tables.cells import PRODUCT, Results
from tests.tables.measuring import MODELS, TREES, measure
from tests.tables.real import TABLES, RealTable

GROUPS = {"trees": TREES}
RESULTS, CHOOSING = Path("data/tables.jsonl"), Path("data/recipes.jsonl")


def main(arguments: Sequence[str] | None = None, tables: Sequence[RealTable] = TABLES) -> int:
    """Measure what is missing, then print a line a table and what they add up to; return 1 if a cell failed."""
    options = parse(arguments, tables)
    results = Results(options.results)
    rows = {table.name: report.Row(results, table.name, options.seeds, options.label) for table in options.tables}
    if options.compare:
        print("\n".join(report.describe_recipes(list(rows.values()), *options.compare)))
        return 0
    print(f"{describe_machine()}; {options.seeds} seeds\n\n{report.HEAD}")
    failed = False
    for seed in range(options.seeds):
        for table in options.tables:
            if not options.report:
                failed |= not attempt(table, seed, options, results)
            if seed == options.seeds - 1 and is_measured(rows[table.name]):
                print(report.describe_table(rows[table.name]), flush=True)
    print("\n".join(report.describe_all([row for row in rows.values() if is_measured(row)])))
    return int(failed)


def attempt(table: RealTable, seed: int, options: argparse.Namespace, results: Results) -> bool:
    """Measure a table's missing cells; where that can't be done print why, and return False."""
    try:
        measure(
            table, seed, options.models, options.label, results,
            lambda line: print(line, file=sys.stderr, flush=True), options.choosing,
        )  # fmt: skip
    except UserError as error:
        print(f"{table.name}: {error}", file=sys.stderr, flush=True)
        return False
    return True


def is_measured(row: report.Row) -> bool:
    """Return whether there is a cell to print."""
    return any(row.cells(model) for model in MODELS)


def parse(arguments: Sequence[str] | None, tables: Sequence[RealTable]) -> argparse.Namespace:
    """Read the command line."""
    known = {table.name: table for table in tables}
    parser = argparse.ArgumentParser(prog="python -m tests.tables", description=__doc__.splitlines()[0])
    parser.add_argument(
        "--results", type=Path, nargs="+",
        help=f"file of cells, which this run adds to; cells of more files are read ({RESULTS}; choosing: {CHOOSING})",
    )  # fmt: skip
    parser.add_argument("--tables", default=",".join(known), help="names with commas between (default: all)")
    parser.add_argument("--seeds", type=int, default=3, help="how many (%(default)s)")
    parser.add_argument(
        "--only", nargs="+", choices=[*GROUPS, *MODELS], metavar="MODEL",
        help=f"{', '.join([*GROUPS, *MODELS])} (default: all)",
    )  # fmt: skip
    parser.add_argument("--label", default="", help="name of the product's recipe as it now is")
    parser.add_argument(
        "--choosing", action="store_true",
        help="fit the product alone, to fewer rows, and score it on the training rows left out: no test row is seen",
    )  # fmt: skip
    parser.add_argument("--report", action="store_true", help="print what is there, and measure nothing")
    parser.add_argument("--compare", nargs=2, metavar="LABEL", help="print how one recipe differs from another")
    options = parser.parse_args(arguments)
    names = options.tables.split(",")
    if unknown := sorted({*names} - known.keys()):
        parser.error(f"no table is called {unknown[0]!r}: there are {', '.join(known)}")
    if options.seeds < 1:
        parser.error("--seeds has to be at least 1")
    options.tables = [known[name] for name in names]
    options.results = options.results or [CHOOSING if options.choosing else RESULTS]
    if options.choosing and options.only not in (None, [PRODUCT]):
        parser.error("--choosing fits the product alone: leave --only out")
    only = options.only or ([PRODUCT] if options.choosing else MODELS)
    options.models = [model for name in only for model in GROUPS.get(name, (name,))]
    return options


if __name__ == "__main__":
    sys.exit(main())
