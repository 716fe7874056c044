"""gRPC reflection: clients ask which methods and messages there are, under both names that it goes by."""

from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any

from grpc_reflection.v1alpha import reflection
from grpc_reflection.v1alpha.reflection_pb2 import ServerReflectionRequest

from ekiben.service.grpc.call import ServerState
from ekiben.service.grpc.message_parsing import parse
from ekiben.service.grpc.stream import Receive, StreamLimit, handle_stream
from ekiben.service.protos import pool

SERVICES = ("grpc.reflection.v1alpha.ServerReflection", "grpc.reflection.v1.ServerReflection")
MAX_REFLECTION_STREAMS = (
    8  # a client has one, for as long as it takes to ask; each may hold a message of the largest size
)


def describe_reflection(names: Iterable[str], state: ServerState) -> dict[str, Mapping[str, Any]]:
    """Return the handlers, by service and method, that describe the services of these names."""
    servicer = reflection.aio.ReflectionServicer(names, pool=pool)  # type: ignore[attr-defined]

    async def answer(receive: Receive, context: Any) -> None:
        async def read() -> AsyncIterator[Any]:
            while (message := await receive()) is not None:
                yield parse(ServerReflectionRequest, message, 0)

        async for response in servicer.ServerReflectionInfo(read(), context):
            await context.write(response.SerializeToString())

    handler = handle_stream(state, StreamLimit(MAX_REFLECTION_STREAMS, "reflection"), answer)
    return {name: {"ServerReflectionInfo": handler} for name in SERVICES}  # v1 has the messages of v1alpha
