"""The least gRPC can cost in this stack: grpc.aio on uvloop, bytes in, the same bytes out, whatever the method.

Run `GRPC_PORT=… python -m ekiben.load_tests.servers.echo`.
"""

from typing import Any

import grpc
import uvloop

from ekiben.service.environment import read_settings


async def serve(port: int) -> None:
    """Answer every call on that port."""
    server: Any = grpc.aio.server()
    server.add_generic_rpc_handlers((Echo(),))
    server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    await server.wait_for_termination()


class Echo(grpc.GenericRpcHandler):  # type: ignore[type-arg]
    """One handler for all methods."""

    def __init__(self) -> None:
        self._handler = grpc.unary_unary_rpc_method_handler(echo)

    def service(self, handler_call_details: Any) -> Any:
        return self._handler


async def echo(body: bytes, context: Any) -> bytes:
    """Return what came."""
    return body


if __name__ == "__main__":
    uvloop.run(serve(read_settings().grpc_port))
