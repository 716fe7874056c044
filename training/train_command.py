"""What `ekiben train` does with its options; TensorFlow is imported only as it runs."""

import argparse
import resource
import sys
import time
from typing import TYPE_CHECKING

from ekiben.contract.errors import UserError
from ekiben.training.network.interrupts import deferred_interrupts

if TYPE_CHECKING:
    from ekiben.training.problem import ProblemConfig
    from ekiben.training.streaming.memory import Budget


def run(options: argparse.Namespace) -> int | None:
    """Train with the options given; the exit code is that of a repetition."""
    from ekiben.training.problem import load_problem

    if options.from_provenance:
        from ekiben.training.train_again import repeat

        return repeat(options)
    problem = load_problem(options.problem)
    if options.from_log is None and (options.labels or options.query or options.force):
        raise UserError("--labels, --query and --force go with --from-log")
    if options.table and options.from_log:
        raise UserError("--table and --from-log are two tables to train on: leave one out")
    from ekiben.model.store import is_stored

    if options.if_missing and is_stored(problem.name):
        return None
    began, budget = time.monotonic(), check_first(problem, options)
    print("loading TensorFlow …", flush=True)
    with deferred_interrupts():  # what an import runs, such as a finaliser, would swallow one
        from ekiben.training.network.fit import FitOptions
        from ekiben.training.registry.store import as_user_error
        from ekiben.training.streaming.scratch import open_room
        from ekiben.training.train import train
        from ekiben.training.truth.training_table import LogTable

    fit = FitOptions(seed=options.seed, epochs=options.epochs)
    log = LogTable(options.from_log, options.labels, options.query, options.force) if options.from_log else None
    try:
        with as_user_error(), open_room(budget) as room:
            changed, kept = options.accept_schema_change, options.table
            train(problem, fit, options.rows, changed, log, kept, options.keep_table, room=room)
    except MemoryError:
        raise UserError("there is not enough memory: use fewer rows with --rows, or a machine with more") from None
    peak_gb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e9 if sys.platform == "darwin" else 1e6)
    print(f"took {time.monotonic() - began:.0f} s and {peak_gb:.1f} GB at most")
    return None


def check_first(problem: "ProblemConfig", options: argparse.Namespace) -> "Budget":
    """Return the memory to train in; raise a UserError if a table, a log or a store is not there.

    TensorFlow takes seconds to import, so what can be said without it is. What only reading a table tells comes later.
    """
    with deferred_interrupts():
        from ekiben.model.store import check_writable
        from ekiben.training.registry.store import check_store
        from ekiben.training.source_config import FileSource
        from ekiben.training.sources import find_source
        from ekiben.training.sources.files import check_file
        from ekiben.training.streaming.memory import find_budget
        from ekiben.training.truth.folder import open_folder
        from ekiben.training.versions.snapshots import find_kept

    budget = find_budget(options.memory)
    if options.labels:
        find_source(options.labels, options.query)
    if options.table:
        find_kept(options.table)
    elif options.from_log:
        open_folder(options.from_log)
    elif isinstance(problem.source, FileSource):
        check_file(problem.source.path)
    check_store()
    check_writable()
    return budget
