"""The registry's webhook: a signed call that an alias was set. It is a hint to look, and says nothing else.

MLflow signs as Standard Webhooks (https://www.standardwebhooks.com) has it: HMAC-SHA256, by the webhook's secret, of
`delivery id.timestamp.body`, in base64 after `v1,`. So it needs no token. An old call is rejected, and one that was
seen already changes nothing.
"""

import base64
import hashlib
import hmac
import time
from collections import OrderedDict

import orjson

from ekiben.service.connections.byte_budget import ByteBudget
from ekiben.service.errors import BadRequest
from ekiben.service.http.json_parsing import parse_json
from ekiben.service.http.messages import Request
from ekiben.service.http.timeouts import read_timeout_s
from ekiben.service.protocols.openapi import JSON, record
from ekiben.service.protocols.openapi.parameters import describe_header
from ekiben.service.protocols.protocol import Operation, Protocol, Route
from ekiben.service.settings import Settings
from ekiben.service.sources.address import ModelSource, parse_source
from ekiben.service.sources.hints import Hints

PROTOCOL, PATH = "registry", "/v2/repository/webhook"
SIGNATURE, TIMESTAMP, DELIVERY = b"x-mlflow-signature", b"x-mlflow-timestamp", b"x-mlflow-delivery-id"
VERSION = "v1"
WINDOW_S = 300  # that a call may be old, or from the future by another clock
MAX_BODY_BYTES, MAX_ID_BYTES = 2**16, 256
REMEMBERED = 1024  # deliveries
EVENT = "model_version_alias"
SEND = Operation(
    "MLflow's webhook for model_version_alias.created: the service looks at once which version the alias names",
    {JSON: {"type": "object"}},
    {JSON: record(looking={"type": "boolean"})},
    errors=(400, 401, 408, 413),
    parameters=tuple(
        describe_header(name, about, {"type": "string"}) | {"required": True}
        for name, about in (
            ("X-MLflow-Signature", "`v1,` and the base64 of HMAC-SHA256 over `delivery id.timestamp.body`."),
            ("X-MLflow-Timestamp", "Seconds since 1970 at which it was sent."),
            ("X-MLflow-Delivery-Id", "The same call again has the same."),
        )
    ),
)


def build_webhook(hints: Hints, settings: Settings) -> Protocol:
    """Return what the webhook registers; without a secret there is none."""
    secret = settings.registry_secret.get_secret_value()
    if not (secret and settings.model_source):
        return Protocol(PROTOCOL)
    webhook = Webhook(hints, secret.encode(), parse_source(settings.model_source), settings)
    return Protocol(PROTOCOL, (Route("POST", PATH, webhook.post, probe=True, operation=SEND),))


class Webhook:
    """Answers the calls."""

    def __init__(self, hints: Hints, secret: bytes, source: ModelSource, settings: Settings) -> None:
        self._hints = hints
        self._secret = secret
        self._source = source
        self._settings = settings
        self._seen: OrderedDict[bytes, None] = OrderedDict()  # deliveries

    async def post(self, request: Request) -> bytes:
        timeout_s = read_timeout_s(request, self._settings)
        delivery = self._check_head(request)
        body = await request.read_body(MAX_BODY_BYTES, timeout_s, ByteBudget(MAX_BODY_BYTES))
        if not self._is_signed(request, body):
            raise BadRequest(401, "the signature is missing or wrong: give the webhook the secret in REGISTRY_SECRET")
        looking = self._is_new(delivery) and self._is_about_alias(parse_json(body))
        if looking:
            self._hints.give()
        return orjson.dumps({"looking": looking})

    def _check_head(self, request: Request) -> bytes:
        """Return the delivery's id; raise BadRequest unless the call says when it was sent, and that is now."""
        delivery, sent = request.headers.get(DELIVERY, b""), request.headers.get(TIMESTAMP, b"")
        if not 0 < len(delivery) <= MAX_ID_BYTES or not (sent.isdigit() and len(sent) < 12):
            raise BadRequest(401, "the delivery's id or time is missing: only MLflow's webhook may call this")
        if abs(time.time() - int(sent)) > WINDOW_S:
            raise BadRequest(401, f"the call was sent more than {WINDOW_S} s ago or ahead: do the clocks agree?")
        return delivery

    def _is_signed(self, request: Request, body: bytes) -> bool:
        signed = b".".join((request.headers[DELIVERY], request.headers[TIMESTAMP], body))
        expected = f"{VERSION},{base64.b64encode(hmac.digest(self._secret, signed, hashlib.sha256)).decode()}"
        given = request.headers.get(SIGNATURE, b"").split(b" ")  # several while a secret is replaced
        return any(hmac.compare_digest(one, expected.encode()) for one in given)

    def _is_new(self, delivery: bytes) -> bool:
        if delivery in self._seen:
            return False
        self._seen[delivery] = None
        if len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)
        return True

    def _is_about_alias(self, content: object) -> bool:
        if not isinstance(content, dict) or content.get("entity") != EVENT:
            return False
        data = content.get("data")
        return isinstance(data, dict) and (data.get("name"), data.get("alias")) == (
            self._source.name,
            self._source.alias,
        )
