"""Leaves without dropping a request: not ready, keep answering, finish, exit, all within the grace period.

An orchestrator sends SIGTERM and takes the replica out of its load balancers at the same
time, so requests still arrive after the signal. uvicorn's own handler stops at once; it is
called only after the drain delay.
"""

import asyncio
import logging
import math
import os
import signal
from collections.abc import Callable, Coroutine
from types import FrameType
from typing import Any

from ekiben.service.lifecycle import lifeline
from ekiben.service.telemetry.metrics_folder import remove_folder

logger = logging.getLogger("bentoml.service")
FORCED_EXIT_S = 8.0  # after SIGTERM: a client that stalls must not keep the process past the platform's SIGKILL
FINISH_S = 5.0  # at least, after the delay, for the requests that came before its end
SECOND_SIGNAL = "asked to stop a second time: requests under way are given up"
CLOSING_S = 1.0  # for what is done without callers


def drain_on_sigterm(
    announce: Callable[[float], None], finish: Callable[[float], None], delay_s: float
) -> Callable[[float], None]:
    """On SIGTERM call `announce` with the delay; after the delay call `finish` and the handler that is set now.

    `finish` is told how many seconds are left until the process must be gone. What is returned does
    the same on this event loop, after another delay.
    """
    loop = asyncio.get_running_loop()
    stop = signal.getsignal(signal.SIGTERM)

    def handle(number: int, frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(start_draining, delay_s)

    def start_draining(delay_s: float) -> None:
        exit_s = find_exit_s(delay_s)
        announce(delay_s)
        end_at_second_signal(loop)
        loop.call_later(delay_s, finish, exit_s - delay_s)
        loop.call_later(delay_s, hand_over, signal.SIGTERM)
        # To uvicorn a SIGINT while it is stopping means: stop waiting for connections.
        loop.call_later(exit_s, hand_over, signal.SIGINT)

    def hand_over(number: signal.Signals) -> None:
        if callable(stop):
            stop(number, None)

    signal.signal(signal.SIGTERM, handle)
    return start_draining


def end_at_second_signal(loop: asyncio.AbstractEventLoop) -> None:
    """Let a second signal end this process whatever it is doing, unless a supervisor does that."""
    if lifeline.is_held():
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        return

    def end() -> None:
        logger.warning(SECOND_SIGNAL)
        remove_folder()
        os._exit(0)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, frame: loop.call_soon_threadsafe(end))


def find_exit_s(delay_s: float) -> float:
    """Return how long after SIGTERM a worker exits, whatever its callers do."""
    return max(FORCED_EXIT_S, delay_s + FINISH_S)


def find_grace_s(delay_s: float) -> int:
    """Return the shortest grace period that a platform may give."""
    return math.ceil(find_exit_s(delay_s) + CLOSING_S)


def reload_on_hangup(load: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """At SIGHUP call `load` on this event loop; once more after it if there was another signal meanwhile."""
    loop = asyncio.get_running_loop()
    loading: set[asyncio.Task[None]] = set()
    asked = False

    def start() -> None:
        nonlocal asked
        asked = True
        if not loading:
            task = asyncio.ensure_future(load_while_asked())
            loading.add(task)
            task.add_done_callback(loading.discard)

    async def load_while_asked() -> None:
        nonlocal asked
        while asked:
            asked = False
            await load()

    signal.signal(signal.SIGHUP, lambda number, frame: loop.call_soon_threadsafe(start))


def ignore_hangup(schedule: Callable[..., object]) -> None:
    """Go on at SIGHUP, when a terminal closes or somebody asks for a reload; `schedule` calls on the event loop."""
    sentence = "SIGHUP is ignored: the service keeps running, with the model it was started with"
    signal.signal(signal.SIGHUP, lambda number, frame: schedule(logger.info, sentence))
