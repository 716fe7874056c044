"""Finds what answers a stream: a method of gRPC's, or a sentence."""

from ekiben.service.connections.http2.rejecting import IGNORING, reject
from ekiben.service.connections.http2.stream import Stream
from ekiben.service.connections.http2.stream_handler import StreamHandler
from ekiben.service.errors import BadRequest
from ekiben.service.grpc.call import UnaryMethod
from ekiben.service.grpc.failing import describe_call, to_status
from ekiben.service.grpc.methods import Methods
from ekiben.service.grpc.native.answers import send_status
from ekiben.service.grpc.native.head import CallHead, is_grpc
from ekiben.service.grpc.native.shared import Shared
from ekiben.service.grpc.native.streaming import StreamExchange
from ekiben.service.grpc.native.unary import UnaryExchange

NOT_GRPC = "this port speaks gRPC: send content-type: application/grpc, or ask the HTTP port"


class Answering:
    """Answers calls on streams; belongs to one event loop."""

    def __init__(self, methods: Methods, shared: Shared) -> None:
        self._methods, self._shared = methods, shared
        self._by_path = {path.encode(): method for path, method in methods.by_path.items()}

    def answer(self, stream: Stream) -> StreamHandler:
        """Return what takes a call's messages."""
        if stream.method != b"POST":
            return reject(stream, 405, "gRPC's methods are called with POST", ((b"allow", b"POST"),))
        if not is_grpc(find_content_type(stream)):
            return reject(stream, 415, NOT_GRPC)
        try:
            head = CallHead(stream)
        except BadRequest as error:
            send_status(stream, to_status(error, describe_call("a call")))
            return IGNORING
        method = self._by_path.get(stream.path)
        if isinstance(method, UnaryMethod):
            return UnaryExchange(self._shared, stream, head, method)
        if method is not None:
            return StreamExchange(self._shared, stream, head, method, self._methods.state)
        send_status(stream, self._methods.unserved.reject(stream.path.decode("latin-1"), head))
        return IGNORING


def find_content_type(stream: Stream) -> bytes:
    """Return what a stream's body is."""
    return next((value for name, value in stream.headers if name == b"content-type"), b"")
