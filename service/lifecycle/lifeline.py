"""Lets a worker notice that its supervisor is gone, however it went: it would hold the ports for ever.

The supervisor holds one end of a pipe and writes nothing; the workers inherit the other end. The kernel closes
the first with its process, even one that is killed, and the second can then be read to its end. Into another pipe,
which nobody reads, it writes as it stops: a worker that is asked to stop sees there whether all of them are.
"""

import asyncio
import logging
import os
import select
from collections.abc import Callable

from bentoml._internal.context import server_context  # there is no public way

from ekiben.service.telemetry.metrics_folder import remove_folder

logger = logging.getLogger("bentoml.service")
VARIABLE, STOP_VARIABLE = "EKIBEN_LIFELINE", "EKIBEN_STOP"  # the file descriptors of the workers' ends
_ours: list[int] = []  # the supervisor's end of the second


def hold() -> None:
    """Make the pipes; the workers of this process are started later."""
    _make_pipe(VARIABLE)
    _ours[:] = [_make_pipe(STOP_VARIABLE)]


def announce_stop() -> None:
    """Let the workers know that all of them stop, before they are asked to."""
    for end in _ours:
        os.write(end, b".")
    _ours.clear()


def all_stop() -> bool:
    """Return whether every process of this service stops, as far as this worker, which does, can know."""
    return not is_held() or bool(select.select([int(os.environ[STOP_VARIABLE])], [], [], 0)[0])


def is_held() -> bool:
    """Return whether this process has a supervisor."""
    return VARIABLE in os.environ


def is_alone() -> bool:
    """Return whether this process answers requests without a supervisor."""
    return server_context.worker_index is not None and not is_held()


def watch(end: Callable[[float], None]) -> None:
    """Call `end` with 0 seconds on this event loop once the supervisor is gone: another one may need the ports."""
    if not is_held():  # code that starts the service itself
        return
    workers_end = int(os.environ[VARIABLE])
    for end_of_pipe in (workers_end, int(os.environ[STOP_VARIABLE])):
        os.set_inheritable(end_of_pipe, False)
    loop = asyncio.get_running_loop()

    def notice() -> None:
        loop.remove_reader(workers_end)
        logger.error("the supervisor of this worker is gone: the worker finishes its requests and exits")
        remove_folder()
        end(0.0)

    loop.add_reader(workers_end, notice)


def _make_pipe(variable: str) -> int:
    """Return our end of a pipe, which no child inherits, and which is closed with this process only."""
    workers_end, ours = os.pipe()
    os.set_inheritable(workers_end, True)
    os.environ[variable] = str(workers_end)
    return ours
