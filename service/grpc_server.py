"""The gRPC server: every dialect's services, health and reflection, on the event loop of the HTTP server."""

import asyncio
import time
from collections.abc import Callable, Iterable
from typing import Any

import grpc
from google.protobuf.message import DecodeError
from grpc_reflection.v1alpha import reflection, reflection_pb2

from service import health, metrics
from service.auth import Guard
from service.dialect import Call, Dialect, Method
from service.errors import BadRequest, DeadlineExceeded, Overloaded
from service.failure import Failure, describe_error
from service.health import Health
from service.protos import pool
from service.refusals import RETRY_AFTER_S
from service.settings import Settings

MAX_STATUS_BYTES = 2000  # of an error's sentence: clients take no more than 8 KB of trailers, and %-encoded it triples
CALL_S = 0.0002  # the least that a call costs the event loop, whatever the queue makes of it
FEWEST_CALLS = 100  # under way that are never too many
_under_way: set[Any] = set()  # calls of this process
REFLECTION = ("grpc.reflection.v1alpha.ServerReflection", "grpc.reflection.v1.ServerReflection")


class GrpcServer:
    """Serves the dialects' gRPC methods; belongs to one event loop."""

    def __init__(self, dialects: Iterable[Dialect], settings: Settings, guard: Guard) -> None:
        limit = settings.max_body_bytes
        self._server: Any = grpc.aio.server(
            options=[
                ("grpc.so_reuseport", 1),  # the workers of one machine share the port
                ("grpc.max_receive_message_length", limit),
                ("grpc.max_send_message_length", -1),
                ("grpc.max_connection_age_ms", int(1000 * settings.grpc_connection_age_s)),
            ]
        )
        self._stopping: asyncio.Task[None] | None = None
        names = []
        for dialect in dialects:
            for name, methods in dialect.services.items():
                handlers = {path: _handler(dialect, method, settings, guard) for path, method in methods.items()}
                self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(name, handlers),))
                names.append(name)
        self._health = Health(names)
        self._server.add_generic_rpc_handlers((self._health.handlers(),))
        _add_reflection(self._server, (*names, health.SERVICE), guard)

    async def start(self, settings: Settings, *addresses: str) -> None:
        """Listen on the gRPC port and these addresses besides."""
        for address in addresses:
            self._server.add_insecure_port(address)
        _listen(self._server, settings)
        await self._server.start()

    def stop_being_ready(self) -> None:
        """Tell probes to send no more traffic; what comes is still answered."""
        self._health.stop_being_ready()

    def stop(self, grace_s: float) -> "asyncio.Task[None]":
        """Take no new calls and give those under way that long; what was said first counts."""
        if self._stopping is None:
            self._health.end()
            self._stopping = asyncio.ensure_future(self._server.stop(grace_s))
        return self._stopping


def _listen(server: Any, settings: Settings) -> None:
    address = f"[::]:{settings.grpc_port}"
    if settings.tls_cert_file is None or settings.tls_key_file is None:
        server.add_insecure_port(address)
        return
    pair = settings.tls_key_file.read_bytes(), settings.tls_cert_file.read_bytes()
    server.add_secure_port(address, grpc.ssl_server_credentials([pair]))


def _handler(dialect: Dialect, method: Method, settings: Settings, guard: Guard) -> Any:
    """Return gRPC's handler for a method: it parses, counts, and reports errors as status codes."""
    protocol = f"{dialect.name}_grpc"
    parse = method.request.FromString
    closed = guard.closed and not method.probe
    most = max(FEWEST_CALLS, int(settings.max_wait_s / CALL_S))

    async def handle(body: bytes, context: Any) -> bytes:
        started = time.perf_counter()
        code = grpc.StatusCode.OK
        _under_way.add(context)
        try:
            if closed:
                guard.check(_authorization(context))
            if not method.probe and len(_under_way) > most:
                metrics.count_rejected(protocol, Overloaded.reason)
                raise Overloaded(RETRY_AFTER_S)
            timeout_s = _timeout_s(context, settings)
            answered = await method.answer(_parse(parse, body), Call(timeout_s))
            return bytes(answered.SerializeToString())
        except asyncio.CancelledError:  # nobody waits for the answer any more
            code = _reason_to_cancel(context)
            raise
        except Exception as error:  # the boundary: whatever happens, the caller gets a status code
            failure = describe_error(error)
            code = failure.code
            await context.abort(code, _clip(failure.message), _trailers(failure))
            raise  # abort always raises
        finally:
            _under_way.discard(context)
            metrics.count_request(protocol, code.name, time.perf_counter() - started)

    return grpc.unary_unary_rpc_method_handler(handle)


def _timeout_s(context: Any, settings: Settings) -> float:
    left_s = context.time_remaining()
    if left_s is None:
        return settings.request_timeout_s
    if left_s <= 0:
        raise DeadlineExceeded
    return float(left_s)


def _reason_to_cancel(context: Any) -> grpc.StatusCode:
    """Return why gRPC gave up a call: its caller did, or its deadline passed."""
    late = context.time_remaining() == 0
    return grpc.StatusCode.DEADLINE_EXCEEDED if late else grpc.StatusCode.CANCELLED


def _parse(parse: Callable[[bytes], Any], body: bytes) -> Any:
    try:
        return parse(body)
    except DecodeError:
        raise BadRequest(400, "the message is not of this method's type: its protobuf can't be read") from None


def _authorization(context: Any) -> list[bytes]:
    given = context.invocation_metadata() or ()
    values = (value for name, value in given if name == "authorization")
    return [value.encode() if isinstance(value, str) else bytes(value) for value in values]


def _clip(sentence: str) -> str:
    encoded = sentence.encode("utf-8", "backslashreplace")
    if len(encoded) > MAX_STATUS_BYTES:
        encoded = encoded[:MAX_STATUS_BYTES] + b"..."
    return encoded.decode("utf-8", "ignore")


def _trailers(failure: Failure) -> tuple[tuple[str, str], ...]:
    return tuple((name.decode(), value.decode()) for name, value in failure.headers)


def _add_reflection(server: Any, names: Iterable[str], guard: Guard) -> None:
    """Let clients ask for methods and messages, under both names that reflection goes by."""
    servicer = reflection.aio.ReflectionServicer(names, pool=pool)  # type: ignore[attr-defined]

    async def answer(requests: Any, context: Any) -> Any:
        if guard.closed:
            await _check_token(guard, context)
        async for response in servicer.ServerReflectionInfo(requests, context):
            yield response

    handler = grpc.stream_stream_rpc_method_handler(
        answer,
        reflection_pb2.ServerReflectionRequest.FromString,
        reflection_pb2.ServerReflectionResponse.SerializeToString,
    )
    for name in REFLECTION:  # v1 has the messages of v1alpha
        services = grpc.method_handlers_generic_handler(name, {"ServerReflectionInfo": handler})
        server.add_generic_rpc_handlers((services,))


async def _check_token(guard: Guard, context: Any) -> None:
    try:
        guard.check(_authorization(context))
    except BadRequest as error:
        failure = describe_error(error)
        await context.abort(failure.code, failure.message, _trailers(failure))
