"""Begins the log of a process: in JSON all that it prints becomes lines of that, from here on."""

import atexit
import logging
import os
import sys
import threading
from functools import cache
from types import TracebackType
from typing import Any

from ekiben.service.logs.choice import choose_format, choose_level
from ekiben.service.logs.json_lines import format_line, format_record
from ekiben.service.logs.output import VARIABLES, Output, duplicate_output, inherit_output
from ekiben.service.logs.stacks import describe_stack
from ekiben.service.logs.stray import StrayReader

LOGGER = "ekiben"


class JsonHandler(logging.Handler):
    """Writes each record as a line of JSON."""

    def __init__(self) -> None:
        super().__init__()
        self._output = open_output()

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._output.write(format_record(record))
        except Exception:  # a record that can't be formatted must not end what said it
            self.handleError(record)

    def handleError(self, record: logging.LogRecord) -> None:
        self._output.write(format_line("error", record.name, "a line of the log can't be formatted", {}))


@cache
def open_output() -> Output:
    """Return where this process writes lines of JSON, and lead there what it prints; a process has one output.

    What a worker prints past `logging` its supervisor reads.
    """
    if is_worker():
        return inherit_output()
    output = duplicate_output()
    output.hand_down()
    least = logging.getLevelNamesMapping()[choose_level()]

    def write(level: str, logger: str, message: str) -> None:
        if logging.getLevelNamesMapping()[level.upper()] >= least:
            output.write(format_line(level, logger, message, {}))

    atexit.register(StrayReader(write).close)
    return output


def is_worker() -> bool:
    """Return whether a supervisor has started this process: it prints into what that one reads."""
    return "_bentoml_impl.worker.service" in sys.orig_argv and all(name in os.environ for name in VARIABLES)


def begin_log(has_rows: bool = False) -> None:
    """Let all that this process says be lines of JSON if LOG_FORMAT asks for that.

    `has_rows`: whether what ends it may quote rows, as in a worker.
    """
    if choose_format() != "json":
        return
    output = open_output()
    logging.captureWarnings(True)

    def report(what: str, kind: type[BaseException], error: BaseException | None, level: str, **more: Any) -> None:
        stack = {"stack": describe_stack(error)} if error else {}
        output.write(format_line(level, LOGGER, what, {"error": kind.__name__, **stack, **more}))

    def report_uncaught(kind: type[BaseException], error: BaseException, _: TracebackType | None) -> None:
        if issubclass(kind, KeyboardInterrupt):
            output.write(format_line("info", LOGGER, "interrupted", {}))
            return
        words = "" if has_rows or is_worker() else f": {error}"
        report(f"the process ends: {kind.__name__}{words}", kind, error, "critical")

    def report_thread(ended: threading.ExceptHookArgs) -> None:
        name = ended.thread.name if ended.thread else "?"
        report(f"thread {name} ends: {ended.exc_type.__name__}", ended.exc_type, ended.exc_value, "error")

    def report_unraisable(ignored: Any) -> None:
        report(f"ignored: {ignored.exc_type.__name__}", ignored.exc_type, ignored.exc_value, "warning")

    sys.excepthook, threading.excepthook, sys.unraisablehook = report_uncaught, report_thread, report_unraisable
