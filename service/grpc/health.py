"""grpc.health.v1: what Kubernetes' gRPC probes and load-balancing clients ask. It needs no token.

Not grpcio-health-checking's: that one knows no List, forgets all watchers of a service when one
of them leaves, and its Watch streams would hold up the server's end.
"""

import asyncio
from collections.abc import Iterable
from typing import Any

from ekiben.service.errors import BadRequest, NotReady
from ekiben.service.grpc.call import UnaryMethod
from ekiben.service.grpc.context import StreamContext
from ekiben.service.grpc.message_parsing import parse
from ekiben.service.grpc.record import ServerState
from ekiben.service.grpc.stream import Receive, StreamLimit, StreamMethod
from ekiben.service.protocols.protocol import Call, Method
from ekiben.service.protos import enum, message

SERVICE = "grpc.health.v1.Health"
MAX_WATCHERS = 64  # a load-balancing client has one, of each replica; fewer than a connection may have streams
LIVENESS, READINESS = "liveness", "readiness"  # what a Kubernetes probe may name as its service

Request = message("grpc.health.v1.HealthCheckRequest")
Response = message("grpc.health.v1.HealthCheckResponse")
ListRequest = message("grpc.health.v1.HealthListRequest")
ListResponse = message("grpc.health.v1.HealthListResponse")
STATUS = enum("grpc.health.v1.HealthCheckResponse.ServingStatus")


class Health:
    """The status of the server and of each service; belongs to one event loop."""

    def __init__(self, services: Iterable[str]) -> None:
        self._statuses = dict.fromkeys(("", LIVENESS, READINESS, SERVICE, *services), STATUS["SERVING"])
        self._ended = False
        self._changed = asyncio.Event()  # a new one after each change

    def describe(self, state: ServerState) -> dict[str, UnaryMethod | StreamMethod]:
        """Return what answers by method."""
        return {
            "Check": UnaryMethod(state, Method(Request, self.check, probe=True)),
            "List": UnaryMethod(state, Method(ListRequest, self.list, probe=True)),
            "Watch": StreamMethod(state, StreamLimit(MAX_WATCHERS, "Watch"), self.watch, probe=True),
        }

    def stop_being_ready(self) -> None:
        """Report NOT_SERVING, but keep liveness SERVING."""
        self._statuses = {
            name: STATUS["SERVING" if name == LIVENESS else "NOT_SERVING"] for name in self._statuses
        }  # fmt: skip
        self._tell()

    def end(self) -> None:
        """End all Watch streams."""
        self._ended = True
        self._tell()

    async def check(self, request: Any, call: Call) -> Any:
        """Return one service's status now."""
        status = self._statuses.get(request.service)
        if status is None:
            known = ", ".join(filter(None, self._statuses))
            raise BadRequest(404, f"there is no such service: ask for none or {known}")
        return Response(status=status)

    async def list(self, request: Any, call: Call) -> Any:
        """Return every service's status now."""
        return ListResponse(statuses={name: Response(status=status) for name, status in self._statuses.items()})

    async def watch(self, receive: Receive, context: StreamContext) -> None:
        """Send a service's status now and whenever it changes."""
        request = parse(Request, await receive() or b"", 0)
        told = None
        while not self._ended:
            changed = self._changed
            status = self._statuses.get(request.service, STATUS["SERVICE_UNKNOWN"])
            if status != told:
                await context.write(Response(status=status).SerializeToString())
                told = status
            await changed.wait()
        raise NotReady

    def _tell(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()
