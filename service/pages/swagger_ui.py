"""The API reference: Swagger UI over this service's OpenAPI document, and what a browser may do on a page of ours.

BentoML ships Swagger UI, and serves its files; its own page, and Swagger UI's badge of an online validator, ask other
hosts for something whenever it is opened. The page is the same for every model and holds nothing of them, so it is open
to everybody: with a token, which stays in the page's memory, it reads the document.
"""

from functools import cache
from importlib import resources

from ekiben.service.http.messages import Message, Request, Response, Send
from ekiben.service.http.page_headers import HTML, allow_own_files, restrict_browser
from ekiben.service.offload import offload
from ekiben.service.pages.static_files import StaticFile, read_file
from ekiben.service.protocols.openapi import HTML as MARKUP
from ekiben.service.protocols.openapi import STRING
from ekiben.service.protocols.protocol import Operation, Protocol, Route

PROTOCOL = "reference"
PATH, SCRIPT_PATH, STYLE_PATH = "/docs.html", "/docs.js", "/docs.css"  # beside /docs.json
NAMED_PATH = "/docs/{model}.html"
SCRIPT, STYLE = (f"text/{kind}; charset=utf-8".encode() for kind in ("javascript", "css"))
BUNDLE = "/docs/swagger-ui-bundle.js", "/docs/swagger-ui.css"  # of BentoML's package
BENTOML_FILES = "bentoml._internal.server", "static_content"
HEADERS = restrict_browser(allow_own_files(images="'self' data:"))  # Swagger UI's icons are in its style
SHOWN = Operation("The API reference: a page that shows this document, and tries its calls", response={MARKUP: STRING})


def page() -> Protocol:
    """Return the protocol that serves the page and its files."""
    shown = _read_own("reference.html")
    content, below = (shown.replace(b"{root}", root) for root in (b".", b".."))
    files = {SCRIPT_PATH: SCRIPT, STYLE_PATH: STYLE}
    routes = [
        _serve(PATH, content, HTML, SHOWN),
        _serve(NAMED_PATH, below, HTML, SHOWN),
        *(_serve(path, _read_own(f"reference{path.removeprefix('/docs')}"), kind) for path, kind in files.items()),
        *(_serve_bundled(path) for path in BUNDLE),
    ]
    return Protocol(PROTOCOL, tuple(routes))


def _serve(path: str, content: bytes, kind: bytes, operation: Operation | None = None) -> Route:
    async def answer(request: Request) -> Response:
        return Response(content, HEADERS, content_type=kind)

    return Route("GET", path, answer, probe=True, operation=operation)


def _serve_bundled(path: str) -> Route:
    """Return the route of a file of Swagger UI, which is read as somebody first asks for it: it is 1.4 MB.

    All callers get the same bytes, however slowly they take them: it is open to everybody.
    """
    name = path.rpartition("/")[2]

    async def answer(request: Request) -> Response:
        return (await offload(_read_bundled, name)).answer(request)

    return Route("GET", path, answer, probe=True)


@cache
def _read_bundled(name: str) -> StaticFile:
    package, folder = BENTOML_FILES
    with resources.as_file(resources.files(package) / folder / name) as path:
        return read_file(path, (*HEADERS, (b"cache-control", b"max-age=3600")))


def _read_own(name: str) -> bytes:
    return (resources.files(__package__) / "reference" / name).read_bytes()


def restrict(send: Send) -> Send:
    """Let what BentoML answers carry the page's headers."""

    async def send_restricted(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message["headers"], *HEADERS]
        await send(message)

    return send_restricted
