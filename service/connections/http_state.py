"""What the HTTP connections of one service share, and how uvicorn comes to use our class for them."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from uvicorn.config import HTTP_PROTOCOLS

from ekiben.service.auth import Authenticator
from ekiben.service.connections.admission import AdmissionController
from ekiben.service.connections.byte_budget import MAX_LIMIT_BYTES, ByteBudget
from ekiben.service.connections.connection_limit import find_limit
from ekiben.service.connections.cross_origin import CrossOriginRejections
from ekiben.service.connections.known_heads import KnownHeads
from ekiben.service.connections.malformed import Malformed
from ekiben.service.connections.rejections import DelayedRejections
from ekiben.service.connections.turns import Turns
from ekiben.service.http.cors import Cors
from ekiben.service.settings import Settings

if TYPE_CHECKING:
    from ekiben.service.connections.http2.stream import Stream
    from ekiben.service.connections.http2.stream_handler import StreamHandler

MAX_HEAD_BYTES = 32_768  # unless the settings say otherwise


@dataclass
class HttpState:
    """Made once and handed to each connection; belongs to one event loop."""

    max_head_bytes: int = MAX_HEAD_BYTES
    max_connections: int = 2**20
    budget: ByteBudget = field(default_factory=lambda: ByteBudget(MAX_LIMIT_BYTES))  # of bytes that wait
    admission: AdmissionController = field(default_factory=AdmissionController)
    rejections: DelayedRejections = field(default_factory=DelayedRejections)
    turns: Turns = field(default_factory=Turns)
    malformed: Malformed = field(default_factory=Malformed)
    stopping: bool = False  # each connection is to end; one that was accepted just before hears of it as it begins
    mutual_tls: bool = False  # callers must show a certificate
    heads: KnownHeads | None = None  # None: each request is parsed
    connection_age_s: float = 300.0  # at which clients are asked to open another, if they speak HTTP/2
    grace_s: float = 60.0  # that requests may take from then on
    answer_grpc: Callable[["Stream"], "StreamHandler"] | None = None  # gRPC calls over HTTP/2; others are the app's
    cors: Cors = field(default_factory=lambda: Cors(""))
    cross_origin: CrossOriginRejections = field(init=False)

    def __post_init__(self) -> None:
        self.cross_origin = CrossOriginRejections(self.cors)


def make_http_state(settings: Settings, max_bytes: int, authenticator: Authenticator) -> HttpState:
    """Return the state by the settings; `max_bytes` of bodies may be under way."""
    return HttpState(
        settings.max_head_bytes,
        find_limit(settings.max_connections),
        ByteBudget(max_bytes),
        # A request has at least one row: so no more of them wait than rows may.
        AdmissionController(settings.max_wait_s, settings.max_waiting_rows),
        mutual_tls=bool(settings.tls_client_ca_file),
        heads=KnownHeads(authenticator),
        connection_age_s=settings.grpc_connection_age_s,
        grace_s=settings.max_timeout_s,
        cors=Cors(settings.cors_origins),
    )


def use_protocol(make: Callable[..., Any]) -> None:
    """Let uvicorn make its HTTP connections so, which must not have been started yet.

    Its table of protocols is a process's: BentoML leaves the choice at "auto" and has no option for it.
    """
    table: dict[str, Any] = HTTP_PROTOCOLS  # of names, but what is not a string is taken as it is
    table["auto"] = make
