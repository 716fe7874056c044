"""What small trees say of the scale to learn each real table's number on: `python -m tests.tables.scales`.

These errors, on validation rows and in the target's units, are what `[target] scale = "auto"` chooses by.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from ekiben.contract.errors import UserError
from ekiben.load_tests.machine import describe_machine
from ekiben.training.arguments import seed
from ekiben.training.scale_evidence import Evidence, compare_scales
from ekiben.training.target_scale import make_link, measure_range
from tests.tables.measuring import Opened, open_table
from tests.tables.real import TABLES, RealTable

NAMES = ("ames", "chicago", "bikes", "loans", "deliveries", "check_times", "hotels", "wages", "diamonds")
SHOWN = {"linear": "as it is", "log": "log", "sqrt": "square root", "logit": "logit"}
HEAD = f"| table | {' | '.join(SHOWN.values())} | chosen |\n|---|{'--:|' * len(SHOWN)}---|"


def main(arguments: Sequence[str] | None = None, tables: Sequence[RealTable] = TABLES) -> int:
    """Print a line a table; return 1 if one can't be opened."""
    parser = argparse.ArgumentParser(prog="python -m tests.tables.scales", description=__doc__.splitlines()[0])
    known = {table.name: table for table in tables}
    parser.add_argument("--tables", nargs="+", default=NAMES, choices=known, metavar="NAME")
    parser.add_argument("--seed", type=seed, default=0, help="of a cut at random")
    options = parser.parse_args(arguments)
    print(f"{describe_machine()}; seed {options.seed}\n\n{HEAD}", flush=True)
    for name in options.tables:
        try:
            with tempfile.TemporaryDirectory() as folder:
                opened = open_table(known[name], options.seed, Path(folder))
        except UserError as error:
            print(f"{name}: {error}", file=sys.stderr)
            return 1
        print(describe(name, weigh_scales(opened)), flush=True)
    return 0


def weigh_scales(opened: Opened) -> Evidence:
    """Fit the small trees on every scale that holds the table's labels."""
    prepared = opened.prepared
    labels = measure_range(prepared.training_labels, prepared.labels[1])
    links = [make_link(scale, labels, prepared) for scale in ("linear", *labels.candidates)]
    return compare_scales(prepared, links, opened.problem.split.moment is not None)


def describe(name: str, evidence: Evidence) -> str:
    """Return a table's line."""
    rmse = {link.scale: f"{value:.4g}" for link, value in evidence.rmse.items()}
    return f"| {name} | {' | '.join(rmse.get(scale, '') for scale in SHOWN)} | {SHOWN[evidence.best.scale]} |"


if __name__ == "__main__":
    sys.exit(main())
