"""grpc.health.v1: what Kubernetes' gRPC probes and load-balancing clients ask. It needs no token.

Not grpcio-health-checking's: that one knows no List, forgets all watchers of a service when one
of them leaves, and its Watch streams would hold up the server's end.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import Any

import grpc

from service.protos import enum, message

SERVICE = "grpc.health.v1.Health"
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

    def handlers(self) -> Any:
        """Return what a gRPC server needs to know."""
        methods = {
            "Check": _describe(grpc.unary_unary_rpc_method_handler, self.check, Request),
            "List": _describe(grpc.unary_unary_rpc_method_handler, self.list, ListRequest),
            "Watch": _describe(grpc.unary_stream_rpc_method_handler, self.watch, Request),
        }
        return grpc.method_handlers_generic_handler(SERVICE, methods)

    def stop_being_ready(self) -> None:
        """Say that no more traffic should come; the process still lives."""
        self._statuses = {
            name: STATUS["SERVING" if name == LIVENESS else "NOT_SERVING"] for name in self._statuses
        }  # fmt: skip
        self._tell()

    def end(self) -> None:
        """End all Watch streams."""
        self._ended = True
        self._tell()

    async def check(self, request: Any, context: Any) -> Any:
        """Return one service's status now."""
        status = self._statuses.get(request.service)
        if status is None:
            known = ", ".join(filter(None, self._statuses))
            await context.abort(grpc.StatusCode.NOT_FOUND, f"there is no such service: ask for none or {known}")
        return Response(status=status)

    async def list(self, request: Any, context: Any) -> Any:
        """Return every service's status now."""
        return ListResponse(statuses={name: Response(status=status) for name, status in self._statuses.items()})

    async def watch(self, request: Any, context: Any) -> AsyncIterator[Any]:
        """Return a service's status now and whenever it changes."""
        told = None
        while not self._ended:
            changed = self._changed
            status = self._statuses.get(request.service, STATUS["SERVICE_UNKNOWN"])
            if status != told:
                yield Response(status=status)
                told = status
            await changed.wait()
        await context.abort(grpc.StatusCode.UNAVAILABLE, "the service is shutting down: watch another replica")

    def _tell(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()


def _describe(kind: Any, answer: Any, request: Any) -> Any:
    return kind(answer, request.FromString, lambda response: response.SerializeToString())
