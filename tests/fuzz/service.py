"""A dataplane with every kind of feature behind every protocol, in this process."""

import asyncio
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ekiben.contract.encoding import Encoded
from ekiben.contract.feature import Boolean, Category, Number, Timestamp
from ekiben.contract.schema import Schema, Target
from ekiben.model.engine import Engine
from ekiben.model.package import GOLDEN_FILE, SCHEMA_FILE, Manifest, PackedModel
from ekiben.service.auth import Authenticator
from ekiben.service.connections.byte_budget import ByteBudget
from ekiben.service.dataplane import Dataplane
from ekiben.service.error_status import to_error_response
from ekiben.service.grpc.methods import Methods
from ekiben.service.http.cors import Cors
from ekiben.service.http.front_door import Drain, FrontDoor
from ekiben.service.http.messages import Message, Receive, Scope, Send
from ekiben.service.http.router import Router
from ekiben.service.logs.access import AccessLog, Asked
from ekiben.service.protocols import PROTOCOLS
from ekiben.service.protocols.mounting import mount
from ekiben.service.protocols.protocol import Call, Method
from ekiben.service.settings import Settings
from ekiben.service.web.mounting import mount_web
from tests.service.one_serving import assemble, hold, list_methods

SCHEMA = Schema(
    name="kinds",
    features=(
        Number(name="x", low=-1e6, high=1e6, nullable=True, example=1.0),
        Category(name="city with spaces", vocabulary=("a", "b", ""), nullable=True, example="a"),
        Category(name="code", vocabulary=("1", "2"), integers=True, example=1),
        Boolean(name="yes", nullable=True, example=True),
        Timestamp(name="时间", zoned=True, nullable=True, example="2024-01-01T00:00:00Z"),
    ),
    target=Target(name="y", task="multiclass", classes=("red", "green", "blue")),
)
ROW = {"x": 1.5, "city with spaces": "b", "code": 2, "yes": False, "时间": "2024-02-03T04:05:06Z"}
MANIFEST = Manifest(
    name="kinds", version="7", run_id="r", engine="tensorflow", files={SCHEMA_FILE: "", GOLDEN_FILE: ""}
)
TIMEOUT_S = 5.0


class Sums:
    """An engine that is quick and whose answers depend on the whole row."""

    def run(self, encoded: Encoded) -> NDArray[np.float32]:
        total = np.nan_to_num(encoded.numbers).sum(axis=1) + encoded.codes.sum(axis=1)
        return np.stack([total, total + 1, total + 2], axis=1).astype(np.float32)


class Unexpected(AssertionError):
    """The service answered what it never should."""


class Service:
    """All dialects, called without a network; belongs to one event loop."""

    def __init__(self, budget: ByteBudget | None = None, schema: Schema = SCHEMA, engine: Engine | None = None) -> None:
        """`engine`: what answers rows of another schema."""
        settings = Settings(access_log_sample=0, max_body_bytes=2**20, max_request_rows=1000)
        model = PackedModel(path=None, schema=schema, manifest=MANIFEST)  # type: ignore[arg-type]
        rows = settings.max_waiting_rows, settings.max_request_rows
        self.dataplane = Dataplane(model, engine or Sums(), *rows, budget=budget)
        built = hold(self.dataplane, [build(self.dataplane, settings) for build in PROTOCOLS])
        self.protocols, self.settings = assemble(built, settings), settings
        self._router = Router()
        mount(self._router, self.protocols, settings)
        self.door = FrontDoor(_not_found, self._router, Authenticator(), Drain(), AccessLog(0), Cors(""))
        self.methods: dict[str, Method] = list_methods(self.protocols)

    def mount_web(self, methods: Methods) -> None:
        """Let gRPC's methods be called over HTTP, too."""
        mount_web(self._router, methods, self.protocols)

    async def post(self, path: str, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
        """Return the status and the body of an HTTP answer."""
        status, _, answer = await self.exchange(path, headers, body)
        return status, answer

    async def exchange(self, path: str, headers: dict[str, str], body: bytes) -> tuple[int, dict[bytes, bytes], bytes]:
        """Return the status, the headers and the body of an HTTP answer."""
        sent: list[Message] = []
        messages: list[Message] = [{"type": "http.request", "body": body}]

        async def receive() -> Message:
            return messages.pop() if messages else await asyncio.Future()  # the caller stays

        async def send(message: Message) -> None:
            sent.append(message)

        pairs = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        path, _, query = path.partition("?")
        scope: Scope = {
            "type": "http", "method": "POST", "path": path, "query_string": query.encode(), "headers": pairs,
        }  # fmt: skip
        async with asyncio.timeout(TIMEOUT_S):
            await self.door(scope, receive, send)
        return int(sent[0]["status"]), dict(sent[0]["headers"]), bytes(sent[1]["body"])

    async def call(self, method: str, body: bytes) -> int:
        """Return HTTP's equivalent of a gRPC call's status."""
        found = self.methods[method]
        try:
            request = found.request.FromString(body)
        except Exception:  # the server answers INVALID_ARGUMENT before the method is reached
            return 400
        try:
            async with asyncio.timeout(TIMEOUT_S):
                answered = await found.answer(request, Call(1.0))
        except Exception as error:
            return to_error_response(error, lambda: Asked("", "HTTP", b"/", b"", b"")).status
        answered.SerializeToString()
        return 200


async def _not_found(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 404, "headers": []})
    await send({"type": "http.response.body", "body": b'{"error": "not found"}'})


def check(status: int, what: Any) -> None:
    """Raise Unexpected if the service blames itself."""
    if status >= 500 and status not in (501, 503, 504):
        raise Unexpected(f"{status} on {what!r}")
