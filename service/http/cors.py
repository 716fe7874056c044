"""Lets the pages of other origins call (CORS, https://fetch.spec.whatwg.org/#http-cors-protocol).

A browser asks before (the preflight, an OPTIONS request that carries no token), and shows an answer to the page only if
its headers say that it may. What they say depends on the origin alone, so it is written once for each.
"""

import re
from collections.abc import Collection, Iterable, Mapping

from ekiben.service.http.messages import JSON_TYPE, Header, Message, Scope, Send, encode_json
from ekiben.service.http.origins import ANY, split_origins

# What a page may read of an answer, besides what every page may: its type, length and language.
EXPOSED = (
    *("x-prediction-id", "x-model-version", "x-ignored-columns", "x-request-id", "retry-after", "allow"),
    *("www-authenticate", "inference-header-content-length", "x-amzn-sagemaker-inference-id"),
    *("grpc-status", "grpc-message", "grpc-status-details-bin", "grpc-encoding"),
    *("trailer-x-prediction-id", "trailer-x-model-version", "trailer-x-ignored-columns"),
)
EXPOSE: Header = (b"access-control-expose-headers", ", ".join(EXPOSED).encode())
MARKS = "ekiben.marks"  # in the scope of a request: the headers that its answer carries besides
VARY: Header = (b"vary", b"origin")
# Of a preflight: the headers that it names decide, too.
VARY_PREFLIGHT: Header = (b"vary", b"origin, access-control-request-method, access-control-request-headers")
MAX_AGE_S = 7200  # for which a browser remembers what it was told: Chromium's maximum
MAX_ASKED_BYTES = 1024  # of the names of headers that a page wants to send
NAMES = re.compile(rb"[\t ]*[!#$%&'*+.^_`|~0-9A-Za-z-]+[\t ]*(,[\t ]*[!#$%&'*+.^_`|~0-9A-Za-z-]+[\t ]*)*")
ALL_METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE")  # where the path doesn't say which


class Cors:
    """What the pages of each origin are told."""

    def __init__(self, setting: str) -> None:
        """Take the setting as `check_origins` returns it; "" allows no other origin."""
        self._headers = {origin.encode(): _describe(origin) for origin in split_origins(setting)}
        self.enabled = bool(self._headers)
        self._any = self._headers.get(ANY.encode())
        self._others = (VARY,) if self.enabled else ()

    def find_headers(self, origin: bytes | None) -> tuple[Header, ...]:
        """Return the headers of an answer to a page of that origin, or to who names none."""
        if self._any is not None:
            return self._any
        return self._others if origin is None else self._headers.get(origin, self._others)

    @property
    def origins(self) -> Mapping[bytes, tuple[Header, ...]]:
        """The headers of answers by origin; `*` stands for every origin."""
        return self._headers

    def mark(self, scope: Scope, send: Send) -> Send:
        """Let the answer to a request carry its headers."""
        added = scope[MARKS] = self.find_headers(find_header(scope, b"origin"))

        async def send_marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *added]
            await send(message)

        return send_marked

    def answer_preflight(self, scope: Scope, methods: Collection[str]) -> Message | None:
        """Return the beginning of the answer to what a browser asks before it calls; None if this is no such question.

        `methods`: that the path has. The answer is the same with and without a token, which a browser doesn't send yet.
        """
        if scope["method"] != "OPTIONS" or find_header(scope, b"access-control-request-method") is None:
            return None
        origin = find_header(scope, b"origin")
        if origin is None:
            return None
        headers = [one for one in self.find_headers(origin) if one not in (VARY, EXPOSE)]
        if not headers:
            return _begin(403, [VARY_PREFLIGHT])
        headers.append((b"access-control-allow-methods", ", ".join(methods or ALL_METHODS).encode()))
        asked = find_header(scope, b"access-control-request-headers")
        if asked and len(asked) <= MAX_ASKED_BYTES and NAMES.fullmatch(asked):
            headers.append((b"access-control-allow-headers", asked))  # `*` would leave out Authorization
        headers.append((b"access-control-max-age", b"%d" % MAX_AGE_S))
        return _begin(204, [*headers, VARY_PREFLIGHT])


async def send_preflight(send: Send, begin: Message) -> None:
    """Send the answer to a preflight; one that is refused says where that is set, for who looks at it in a browser."""
    body = b""
    if begin["status"] == 403:
        body = encode_json({"error": "pages of this origin may not call: CORS_ORIGINS lists those that may"})
        begin["headers"] += [(b"content-type", JSON_TYPE), (b"content-length", b"%d" % len(body))]
    await send(begin)
    await send({"type": "http.response.body", "body": body})


def find_header(scope: Scope, name: bytes) -> bytes | None:
    """Return the first header of that name."""
    headers: Iterable[Header] = scope["headers"]
    return next((value for key, value in headers if key == name), None)


def _describe(origin: str) -> tuple[Header, ...]:
    """Return what the pages of an origin are told.

    Credentials are a client's certificate, or the cookies of a proxy before the service: no page of just any origin may
    use those. A token is none, the page itself sends it.
    """
    allowed = (b"access-control-allow-origin", origin.encode())
    if origin == ANY:
        return allowed, EXPOSE
    return allowed, (b"access-control-allow-credentials", b"true"), EXPOSE, VARY


def _begin(status: int, headers: list[Header]) -> Message:
    return {"type": "http.response.start", "status": status, "headers": headers}
