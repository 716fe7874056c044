"""Lets a worker notice that its supervisor is gone, however it went: it would hold the ports for ever.

The supervisor holds one end of a pipe and writes nothing; the workers inherit the other end. The kernel closes
the first with its process, even one that is killed, and the second can then be read to its end.
"""

import asyncio
import logging
import os
from collections.abc import Callable

from bentoml._internal.context import server_context  # there is no public way

from ekiben.service.telemetry.metrics_folder import remove_folder

logger = logging.getLogger("bentoml.service")
VARIABLE = "EKIBEN_LIFELINE"  # the file descriptor of the workers' end


def hold() -> None:
    """Make the pipe; the workers of this process are started later."""
    workers_end, _ours = os.pipe()  # which no child inherits, and which is closed with this process only
    os.set_inheritable(workers_end, True)
    os.environ[VARIABLE] = str(workers_end)


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
    os.set_inheritable(workers_end, False)
    loop = asyncio.get_running_loop()

    def notice() -> None:
        loop.remove_reader(workers_end)
        logger.error("the supervisor of this worker is gone: the worker finishes its requests and exits")
        remove_folder()
        end(0.0)

    loop.add_reader(workers_end, notice)
