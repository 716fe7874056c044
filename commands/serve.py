"""`ekiben serve`: becomes `bentoml serve` with the newest model of this folder's problem."""

import argparse
import os
import runpy
import signal
import sys

from ekiben.service.logs.process import begin_log
from ekiben.service.target import TARGET


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add which model is served."""
    parser.add_argument(
        "--model",
        help="its name in the BentoML store, or several: a,b,c or de_* (default: MODEL_NAME, or this folder's problem)",
    )
    parser.set_defaults(passed_on=[])


def run(options: argparse.Namespace) -> None:
    """Serve until a signal ends it; raise InvalidModel before if there is no such model."""
    from ekiben.model.selection import find_models, join_names
    from ekiben.training.problem import choose_model

    begin_log()
    os.environ["MODEL_NAME"] = join_names(find_models(choose_model(options.model)))
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL if number == signal.SIGTERM else signal.default_int_handler)
    sys.argv = ["bentoml", "serve", TARGET, *options.passed_on]
    runpy.run_module("bentoml", run_name="__main__", alter_sys=True)
