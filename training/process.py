"""A process that runs one command: its environment, its interrupts, and what it exits with."""

import logging
import os
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from functools import partial

from ekiben.contract.errors import UserError
from ekiben.training import terminal
from ekiben.training.redaction import redact
from ekiben.training.refusals import describe_refusal, is_folder_gone

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
    if not os.environ.get("BENTOML_HOME"):
        os.environ.pop("BENTOML_HOME", None)  # BentoML takes an empty one for the working folder
    logging.getLogger("matplotlib").setLevel(logging.ERROR)  # that a home without a folder for it gets a temporary one


def report_errors(command: Callable[[], int | None], stopped: str = STOPPED) -> int:
    """Run a command and return its exit code.

    What a user or the machine did wrong is one sentence on standard error and exit code 2.
    """

    def run() -> int | None:
        if is_folder_gone():
            raise UserError("the working folder is gone: change to one that is there")
        return command()

    return _guard(run, stopped)


def _guard(command: Callable[[], int | None], stopped: str) -> int:
    try:
        code = command() or 0
        sys.stdout.flush()
        return code
    except UserError as error:
        return _report(str(error))
    except KeyboardInterrupt:
        print(stopped, file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # such as `predict … | head`
        terminal.discard_output()
        return READER_GONE
    except (OSError, MemoryError) as error:
        refusal = describe_refusal(error)
        if refusal is None:
            raise
        return _report(redact(refusal))


def run_process(main: Callable[[], int], arguments: Sequence[str]) -> int:
    """Run the command of this process; an interrupt stays one, whatever TensorFlow makes of it on its way up."""
    terminal.restart_in_utf8()
    terminal.prepare_streams()
    interrupts: list[int] = []

    def interrupt(number: int, frame: object) -> None:
        interrupts.append(number)
        if len(interrupts) > 1:  # it takes too long to end: an MLflow server may not answer any more
            os._exit(INTERRUPTED)
        raise KeyboardInterrupt

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, interrupt)
    try:
        return _guard(partial(_catch_exit, main), STOPPED)
    except Exception:
        if not interrupts:
            print(redact(traceback.format_exc(), *(given for given in arguments if "://" in given)), file=sys.stderr)
            return BUG
        print(STOPPED, file=sys.stderr)
        return INTERRUPTED


def _report(sentence: str) -> int:
    try:
        sys.stdout.flush()  # what was said before comes before
    except (BrokenPipeError, terminal.OutputFailed):
        terminal.discard_output()
    print(f"error: {sentence}", file=sys.stderr)
    return BAD_INPUT


def _catch_exit(main: Callable[[], int]) -> int:
    """Return also the exit code with which argparse ends, so that what it printed is flushed here."""
    try:
        return main()
    except SystemExit as end:
        if isinstance(end.code, str):
            raise UserError(end.code) from None
        return end.code or 0
