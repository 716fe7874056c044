"""Lets gRPC's methods answer on paths of HTTP: POST /package.Service/Method, as gRPC-Web and Connect ask for them."""

from collections.abc import Iterable, Mapping
from typing import TypeVar

from ekiben.contract.validation import shorten
from ekiben.service.connections.admission import WAITED
from ekiben.service.errors import BadRequest
from ekiben.service.grpc.call import UnaryMethod
from ekiben.service.grpc.methods import AnyMethod, AnyStreamMethod, Methods
from ekiben.service.grpc.stream import StreamMethod
from ekiben.service.http.messages import Receive, Request, Response, Scope, Send, respond
from ekiben.service.http.router import Resource, Router, escape
from ekiben.service.protocols.endpoint import Endpoint
from ekiben.service.protocols.protocol import Protocol
from ekiben.service.web.calls import answer_stream, answer_unary
from ekiben.service.web.connect import ConnectStream, ConnectUnary
from ekiben.service.web.context import WebContext
from ekiben.service.web.dialect import StreamDialect, UnaryDialect
from ekiben.service.web.grpc_web import PROTO, TEXT_TYPE, TYPE, GrpcWeb

PROTOCOL = Protocol("grpc_over_http")  # in the metrics, for what is no call
WEB, TEXT = GrpcWeb(), GrpcWeb(text=True)
GRPC_WEB: Mapping[bytes, GrpcWeb] = {TYPE: WEB, TYPE + PROTO: WEB, TEXT_TYPE: TEXT, TEXT_TYPE + PROTO: TEXT}
JSON, BINARY = ConnectUnary(json=True), ConnectUnary(json=False)
UNARY: Mapping[bytes, UnaryDialect] = {JSON.content_type: JSON, BINARY.content_type: BINARY, **GRPC_WEB}
STREAMS: Mapping[bytes, StreamDialect] = {
    **{one.content_type: one for one in (ConnectStream(json=True), ConnectStream(json=False))},
    **GRPC_WEB,
}
LABELS = (WEB.label, JSON.label)
Labelled = Mapping[str, Mapping[str, AnyMethod]]  # by label, and then by path
M = TypeVar("M", bound=AnyMethod)


def mount_web(router: Router, methods: Methods, protocols: Iterable[Protocol]) -> None:
    """Add a path for each service to the router; what it answers is counted with labels of its own."""
    listed = list(protocols)
    labelled = {label: dict(_relabel(methods, listed, label)) for label in LABELS}
    for service in (*methods.services, *methods.own):
        router.add(f"/{escape(service)}/{{method}}", _build_resource(methods, labelled, service))


def _relabel(methods: Methods, protocols: list[Protocol], label: str) -> Iterable[tuple[str, AnyMethod]]:
    """Yield each method by path that is counted, as one that has that label."""
    for protocol in protocols:
        for service, names in (*protocol.services.items(), *protocol.streams.items()):
            for path in (f"/{service}/{name}" for name in names):
                method = methods.by_path[path]
                if not isinstance(method, StreamMethod):
                    yield path, method.count_as(f"{protocol.name}_{label}")


def _find_labelled(labelled: Mapping[str, AnyMethod], path: str, method: M) -> M:
    """Return the same method with the label, if it is counted."""
    found = labelled.get(path, method)
    assert isinstance(found, type(method))
    return found


def _build_resource(methods: Methods, labelled: Labelled, service: str) -> Resource:
    reject = Endpoint(PROTOCOL, methods.state.settings, reject_request, f"/{service}/{{method}}")

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive, scope.get(WAITED, 0.0))
        path = f"/{service}/{request.parameters['method']}"
        known = methods.by_path.get(path)
        if isinstance(known, AnyStreamMethod):
            stream = STREAMS.get(read_type(request)) if request.method == "POST" else None
            if stream is None:
                await reject(scope, receive, send)
                return
            method = _find_labelled(labelled[stream.label], path, known)
            await answer_stream(method, path, stream, scope, request, send)
            return
        dialect = choose_dialect(request, known)
        if dialect is None:
            await reject(scope, receive, send)
        elif known is None:
            context = WebContext(scope, request, dialect)
            await respond(send, request, dialect.fail(methods.unserved.reject(path, context)))
        else:
            unary = _find_labelled(labelled[dialect.label], path, known)
            await respond(send, request, await answer_unary(unary, path, dialect, scope, request))

    # Who may call is for the call to say, in its own words: to the front door all of these are probes.
    asked = ("GET", "POST")
    return Resource(dict.fromkeys(asked, app), reject, frozenset((*asked, *OTHER_METHODS)), page=False)


OTHER_METHODS = ("HEAD", "PUT", "PATCH", "DELETE", "OPTIONS")


def read_type(request: Request) -> bytes:
    """Return a request's content type without its parameters."""
    return request.read_header(b"content-type").partition(b";")[0].strip().lower()


def choose_dialect(request: Request, method: UnaryMethod | None) -> UnaryDialect | None:
    """Return how a call of one message is written, None if in no way that is known; GET asks what changes nothing."""
    if request.method == "POST":
        return UNARY.get(read_type(request))
    if method is not None and not (method.method.safe or method.probe):
        return None
    return BINARY if b"encoding=proto" in request.query.split(b"&") else JSON


async def reject_request(request: Request) -> Response:
    """Raise what tells how a method is called."""
    if request.method != "POST":
        raise BadRequest(405, f"{request.method} is not allowed here: use POST", (b"allow", b"POST"))
    given = shorten(request.read_header(b"content-type").decode("latin-1"))
    types = sorted({*UNARY, *STREAMS})
    hint = "gRPC itself needs HTTP/2"
    sentence = f"content type {given!r} is not one of this method's: send one of those in Accept-Post; {hint}"
    raise BadRequest(415, sentence, (b"accept-post", b", ".join(types)))
