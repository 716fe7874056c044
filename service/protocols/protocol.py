"""What a protocol registers: its routes over HTTP, its services over gRPC, and the shape of its errors."""

import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import BaseModel

from ekiben.contract.field_fitting import Ignored
from ekiben.model.package import PackedModel
from ekiben.service.canary.run import Drawn
from ekiben.service.error_status import ErrorResponse
from ekiben.service.errors import CallerGone, DeadlineExceeded
from ekiben.service.http.messages import Request, Response
from ekiben.service.offload import offload

if TYPE_CHECKING:  # OpenTelemetry is imported only where it is asked for
    from ekiben.service.tracing.spans import RequestSpan

JsonSchema = Mapping[str, Any]
Described = JsonSchema | type[BaseModel]
Example = Callable[[PackedModel], Any]


@dataclass(frozen=True)
class Operation:
    """What the OpenAPI document says of a route; schemas are JSON Schema or pydantic models, by content type.

    They may refer to what `ekiben.service.protocols.openapi` names. Without a `response` the answer is empty. `rows`:
    it answers rows, within a deadline, from the queue. `examples` are bodies that are answered with 200.
    """

    summary: str
    request: Mapping[str, Described] = field(default_factory=dict)
    response: Mapping[str, Described] = field(default_factory=dict)
    statuses: Mapping[int, str] = field(default_factory=dict)  # with an answer as of 200: a probe's 503
    examples: Mapping[str, Example] = field(default_factory=dict)  # of the request, by content type
    errors: tuple[int, ...] = ()  # besides 401, 404 of a name in the path, and those of all that answer rows
    rows: bool = False
    parameters: tuple[JsonSchema, ...] = ()  # of the query and the headers, as OpenAPI has them
    bodiless: bool = False  # the body may be left out
    target: Callable[[PackedModel, Sequence[str]], str] | None = (
        None  # of this and the others' names the path's example
    )


class Named(NamedTuple):
    """The model that a call names, perhaps with one of its versions or with a version's label."""

    model: str
    version: str = ""
    label: str = ""


def select_by_path(parameters: Mapping[str, str]) -> Named | None:
    """Return what the parts of a path name."""
    if "model" not in parameters:
        return None
    return Named(parameters["model"], parameters.get("version", ""), parameters.get("label", ""))


def select_by_header(value: bytes) -> Named:
    """Return what a header names: a model, or as SageMaker has it an archive such as `/folder/model.tar.gz`."""
    return Named(value.decode("latin-1").strip().rpartition("/")[2].removesuffix(".tar.gz"))


def select_default(request: Any) -> Named | None:
    """Return what a message names that names no model."""
    return None


@dataclass(frozen=True)
class Route:
    """One operation over HTTP.

    In its path `{name}` takes one part, `{name:path}` all that is left, and `[...]` may be left
    out. `probe`: it needs no token. `page`: a browser gets the page for people there instead. Without
    an `operation` the OpenAPI document is silent about it. `select` reads which model the path names.
    """

    method: str
    path: str
    answer: Callable[[Request], Awaitable[bytes | Response]]
    probe: bool = False
    page: bool = False
    operation: Operation | None = None
    select: Callable[[Mapping[str, str]], Named | None] = select_by_path
    header: bytes = b""  # by which a caller may name the model, if the path doesn't


class Call:
    """What there is to know of a gRPC call besides its message; most of it is the class's until it is known."""

    large: bool = False  # its rows would hold up the event loop
    gone: bool = False  # the caller waits no longer
    own_id: bytes = b""  # that the caller gave its prediction
    prediction_id: bytes = b""  # of the answer, if it is one to rows
    drawn: Drawn | None = None  # if a canary has chosen the version that answers
    model_version: bytes = b""  # that answers
    rows: int = 0  # that were answered
    model: str = ""  # that they were asked of
    trace: "RequestSpan | None" = None  # if it is traced
    ignored: Ignored = ()  # fields of its rows that were left out

    def __init__(
        self,
        timeout_s: float,
        metadata: Callable[[], Iterable[tuple[str, str | bytes]] | None] = tuple,
        one_a_turn: bool = False,
        own_id: bytes = b"",
    ) -> None:
        """`metadata`: that came with it. `one_a_turn`: its server hands over one call a turn, others may follow."""
        self.timeout_s, self.metadata, self.one_a_turn = timeout_s, metadata, one_a_turn
        self.began = time.monotonic()
        if own_id:
            self.own_id = own_id

    def left_s(self) -> float:
        """Return the seconds that are left; raise DeadlineExceeded or CallerGone if the answer comes too late."""
        if self.gone:
            raise CallerGone
        left_s = self.began + self.timeout_s - time.monotonic()
        if left_s <= 0:
            raise DeadlineExceeded
        return left_s

    @property
    def answered(self) -> dict[str, object]:
        """What the access log says of the answer."""
        return {"rows": self.rows, "model": self.model, "version": self.model_version.decode()}

    def read_header(self, name: bytes) -> bytes:
        """Return the metadata of that name, b"" if there is none."""
        wanted = name.decode()
        given = next((value for key, value in self.metadata() or () if key == wanted), b"")
        return given.encode() if isinstance(given, str) else given

    async def run(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call a function: here, or off the event loop if the call is large."""
        return await offload(self._begin, function, arguments) if self.large else function(*arguments)

    async def read_rows(self, prepare: Callable[..., Any], read: Callable[..., Any], *arguments: Any) -> Any:
        """Return the rows that `read` returns; of a large call they are encoded, by `prepare`."""
        if not self.large:
            return read(*arguments)
        return await offload(self._begin, lambda: prepare(read(*arguments), self.left_s), ())

    def _begin(self, function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
        self.left_s()
        return function(*arguments)


@dataclass(frozen=True)
class Method:
    """One operation over gRPC, from message to message; `probe` and `select` as in Route.

    `rows`: it answers rows, so a canary may choose the version that does. `safe`: it changes nothing, as all probes, so
    that by Connect it may be asked with a GET.
    """

    request: Any  # the message's class, or what reads messages as it does
    answer: Callable[[Any, Call], Awaitable[Any]]
    probe: bool = False
    select: Callable[[Any], Named | None] = select_default
    rows: bool = False
    safe: bool = False


@dataclass(frozen=True)
class AnswerStream:
    """A method over gRPC that answers each message of a stream as another method of its service does, in order."""

    method: str  # the other one
    wrap: Callable[[bytes], bytes]  # its answer into one of the stream's
    wrap_error: Callable[[str, bytes], bytes]  # a sentence, and the message it is about; the stream goes on


def default_error_body(error_response: ErrorResponse) -> dict[str, Any]:
    """Return an error as most protocols have it."""
    return {"error": error_response.message}


@dataclass(frozen=True)
class Protocol:
    """One protocol; `name` is its label in the metrics, over gRPC with `_grpc` after it."""

    name: str
    routes: tuple[Route, ...] = ()
    services: Mapping[str, Mapping[str, Method]] = field(default_factory=dict)  # by full name, then by method
    unserved: Mapping[str, str] = field(default_factory=dict)  # `service/method` that clients know: what to do instead
    error_body: Callable[[ErrorResponse], Mapping[str, Any]] = default_error_body
    error_properties: Mapping[str, JsonSchema] = field(default_factory=dict)  # that `error_body` adds to `error`
    streams: Mapping[str, Mapping[str, AnswerStream]] = field(default_factory=dict)  # as the services
