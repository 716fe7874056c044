"""A process that runs one command: its environment, its interrupts, and what it exits with."""

import os
import signal
import sys
import traceback
from collections.abc import Callable, Sequence

from ekiben.contract.errors import UserError
from ekiben.training.redaction import redact

BAD_INPUT = 2  # the exit code
BUG = 1  # as Python exits after a traceback
INTERRUPTED = 130
READER_GONE = 141  # as of a process that SIGPIPE ended
STOPPED = "interrupted: the champion is unchanged"
ENVIRONMENT = {
    # TensorFlow's and MLflow's notes would bury ours.
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "BENTOML_DO_NOT_TRACK": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    # One value in training and serving: oneDNN's other order of additions changes the last bits.
    "TF_ENABLE_ONEDNN_OPTS": "0",
}


def prepare_environment() -> None:
    """Set what TensorFlow, MLflow and BentoML read as they are imported, unless it is set."""
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)


def report_errors(command: Callable[[], int | None], stopped: str = STOPPED) -> int:
    """Run a command and return its exit code; a user's mistake is one sentence on standard error and exit code 2."""
    try:
        return command() or 0
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return BAD_INPUT
    except KeyboardInterrupt:
        print(stopped, file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        return leave_reader()


def leave_reader() -> int:
    """Return the exit code where who reads standard output has gone, as in `predict … | head`."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is left is flushed to nowhere
    return READER_GONE


def flush_after(main: Callable[[], int]) -> int:
    """Run the command and write out what it printed, also before argparse exits: Python complains if it can't later."""
    try:
        return main()
    finally:
        if sys.stdout:  # not where it was closed, as by `>&-`
            sys.stdout.flush()


def run_process(main: Callable[[], int], arguments: Sequence[str]) -> int:
    """Run the command of this process; an interrupt stays one, whatever TensorFlow makes of it on its way up."""
    interrupts: list[int] = []

    def interrupt(number: int, frame: object) -> None:
        interrupts.append(number)
        raise KeyboardInterrupt

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, interrupt)
    try:
        return flush_after(main)
    except BrokenPipeError:
        return leave_reader()
    except Exception:
        if not interrupts:
            print(redact(traceback.format_exc(), *(given for given in arguments if "://" in given)), file=sys.stderr)
            return BUG
        print(STOPPED, file=sys.stderr)
        return INTERRUPTED
