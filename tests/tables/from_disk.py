"""A table that fits in memory, trained on from there and from the disk: `python -m tests.tables.from_disk`.

Without `--problem` it is the built-in flights. The disk's way has as much memory as `--memory` says, and takes the
table however small that is.
"""

import argparse
import os
import tempfile
import time
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")

from ekiben.load_tests.machine import describe_machine
from ekiben.training.arguments import memory
from ekiben.training.fitting import Trained, fit, score_network
from ekiben.training.network.fit import FitOptions
from ekiben.training.preparation import prepare
from ekiben.training.problem import ProblemConfig, load_problem
from ekiben.training.streaming.fitting import fit_from_disk
from ekiben.training.streaming.memory import BASE_BYTES, Budget
from ekiben.training.streaming.preparing import prepare_on_disk
from ekiben.training.streaming.scratch import open_room
from ekiben.training.streaming.spill import SpillToDisk
from ekiben.training.tables.read import read_table


def main() -> None:
    """Print a line for each way."""
    parser = argparse.ArgumentParser(prog="python -m tests.tables.from_disk", description=__doc__.splitlines()[0])
    parser.add_argument("--problem", type=Path, help="default: flights")
    parser.add_argument("--memory", type=memory, default="2GB", help="of the disk's way (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    problem, fitting = load_problem(options.problem), FitOptions(seed=options.seed)
    print(f"{describe_machine()}; {problem.name}, seed {options.seed}", flush=True)
    for name, train in (("memory", train_in_memory), ("disk", train_from_disk)):
        began, spent = time.perf_counter(), time.process_time()
        trained = train(problem, fitting, Budget(options.memory))
        seconds = f"{time.perf_counter() - began:.0f} s, {time.process_time() - spent:.0f} s of CPU"
        scores = ", ".join(f"{score} {value:.5f}" for score, value in trained.scores.items())
        print(f"{name}: {len(trained.answers):,} test rows, {seconds}: {scores}", flush=True)


def train_in_memory(problem: ProblemConfig, options: FitOptions, _: Budget) -> Trained:
    """Fit to the table in memory."""
    prepared = prepare(problem, read_table(problem, lambda share: None))
    return score_network(prepared, fit(problem, prepared, options).network)


def train_from_disk(problem: ProblemConfig, options: FitOptions, budget: Budget) -> Trained:
    """Fit to the table on the disk."""
    with tempfile.TemporaryDirectory() as home:
        os.environ["EKIBEN_HOME"] = home  # where the folder for the rows is
        with open_room(budget) as room:
            spill = SpillToDisk(problem, replace(room, budget=Budget(BASE_BYTES)))
            prepared = prepare_on_disk(problem, read_table(problem, lambda share: None, spill=spill), room)
            return score_network(prepared, fit_from_disk(problem, prepared, options).network)


if __name__ == "__main__":
    main()
