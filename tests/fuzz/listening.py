"""The whole stack over the fuzzers' dataplane, without sockets: connections, admission, HTTP, gRPC, the queue."""

import asyncio
import gc
import logging
import sys
import traceback
import weakref
from asyncio import all_tasks, current_task
from collections.abc import Callable
from typing import Any

import uvicorn
from uvicorn.server import ServerState

from ekiben.service.auth import Authenticator
from ekiben.service.connections.byte_budget import ByteBudget
from ekiben.service.connections.detecting import detect_protocol
from ekiben.service.connections.http_state import HttpState
from ekiben.service.connections.known_heads import KnownHeads
from ekiben.service.grpc.native.server import NativeServer
from tests.fuzz.clock import SkippingLoop
from tests.fuzz.service import Service, Unexpected
from tests.fuzz.wire import Wire

BUDGET_BYTES = 2**21
MAX_VALUES = 10_000
PATIENCE_S = 400.0  # after which no timer of a connection that is gone may be left
# Timers of the process, and those of calls' deadlines, which are shared: of all there may be few are told apart.
SHARED = ("PredictionIds._renew", "Heap._trim", "Deadlines._pass")
LOGGERS = ("bentoml.service", "uvicorn.error", "asyncio")


class Listening:
    """A service to connect to; belongs to one event loop."""

    def __init__(self, loop: SkippingLoop) -> None:
        self.loop = loop
        self.budget = ByteBudget(BUDGET_BYTES)
        self.service = Service(self.budget)
        self.errors = Errors()
        loop.set_exception_handler(self.errors.take)
        self.http = HttpState(budget=self.budget, heads=KnownHeads(Authenticator()))
        settings = self.service.settings
        self.grpc = NativeServer(self.service.protocols, settings, Authenticator(), self.http, MAX_VALUES)
        self.service.mount_web(self.grpc.methods)
        self._config = uvicorn.Config(self.service.door, lifespan="off", log_config=None, access_log=False)
        self._config.load()
        self.state = ServerState()
        self._lost: list[weakref.ref[Any]] = []

    def connect(self, reads: Callable[[bytes], object], half_closes: bool = True) -> Wire:
        """Open a connection."""
        detector = detect_protocol(
            self.http, config=self._config, server_state=self.state, app_state={}, _loop=self.loop
        )
        return Wire(detector, reads, half_closes)

    def close(self) -> None:
        """Let go of what is the process's."""
        self.errors.leave()
        self.service.dataplane.close()

    def note_lost(self, wire: Wire) -> None:
        """Note a connection that nobody may hold any more."""
        self._lost.append(weakref.ref(wire.protocol))

    async def check_given_back(self) -> None:
        """Raise Unexpected if something is held though no connection is open."""
        began = self.loop.time()
        await self.loop.settle()
        while (timers := self._list_timers()) and self.loop.time() < began + PATIENCE_S:
            await self._pass_time()
        held = {name: value for name, value in self.list_held().items() if value}
        if timers:
            held["timers"] = len(timers)
        if held:
            raise Unexpected(f"after the connection's end there are still {held} {timers[:5]}")
        self.errors.check()

    def check_freed(self) -> None:
        """Raise Unexpected if a connection that is lost is still in memory."""
        gc.collect()
        left = [one() for one in self._lost if one() is not None]
        self._lost.clear()
        if left:
            raise Unexpected(f"{len(left)} lost connections are still in memory: {left[0]!r}")

    def list_held(self) -> dict[str, int]:
        """Return how much of everything is in use."""
        grpc: Any = self.grpc
        shared = grpc._answering._shared
        held: Any = self.http
        return {
            "bytes": self.budget.taken,
            "connections": len(self.state.connections),
            "requests": len(self.state.tasks),
            "waiting": held.admission.count_waiting() + held.admission.count_unjudged(),
            "rejections": len(held.rejections._waiting),
            "turns": len(held.turns._waiting),
            "arrivals": len(shared.arrivals._coming) + len(shared.arrivals._kept) + shared.arrivals._slow.taken,
            "deadlines": sum(map(len, shared.deadlines._steps.values())),
            "calls": grpc._state.in_progress,
            "rows": self.service.dataplane.queue.waiting_rows,
            "streams": sum(one._limit._open for one in grpc.methods.by_path.values() if hasattr(one, "_limit")),
            "tasks": len(all_tasks()) - (current_task() is not None),
        }

    def _list_timers(self) -> list[str]:
        return [one for one in self.loop.list_timers() if not any(name in one for name in SHARED)]

    async def _pass_time(self) -> None:
        await asyncio.sleep(1.0)
        await self.loop.settle()


class Errors(logging.Handler):
    """What was logged as an error, or reached the event loop."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.found: list[str] = []
        for name in LOGGERS:
            logging.getLogger(name).addHandler(self)
        self.setFormatter(logging.Formatter("%(name)s: %(message)s"))
        sys.unraisablehook = lambda one: self.found.append(f"{one.err_msg} {one.object!r}: {one.exc_value!r}")

    def leave(self) -> None:
        """Hear no more."""
        for name in LOGGERS:
            logging.getLogger(name).removeHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        if record.name != "bentoml.service.access":  # a line for each call that ends so, whoever is to blame
            self.found.append(self.format(record))

    def take(self, loop: Any, context: dict[str, Any]) -> None:
        """Take what an event loop could hand to nobody."""
        error = context.get("exception")
        trace = "".join(traceback.format_exception(error)) if error else ""
        self.found.append(f"{context.get('message')} {context.get('handle', '')}\n{trace}")

    def check(self) -> None:
        """Raise Unexpected if there is any."""
        found, self.found = self.found, []
        if found:
            raise Unexpected("\n".join(found[:3]))
