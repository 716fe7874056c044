"""The page for people: BentoML's Swagger UI without the tag of an analytics service, and what a browser may do there.

BentoML's own page, and Swagger UI's badge of an online validator, ask other hosts for something whenever it is opened.
"""

import html

from ekiben.model.package import PackedModel
from ekiben.service.http.messages import Header, Message, Request, Response, Send
from ekiben.service.protocols.protocol import Protocol, Route

PATH, SCRIPT_PATH = "/docs.html", "/docs.js"  # beside /docs.json; a browser that asks for / gets the page too
NAMED_PATH = "/docs/{model}.html"
HTML, SCRIPT = b"text/html; charset=utf-8", b"text/javascript; charset=utf-8"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS: tuple[Header, ...] = (
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
)

PAGE = """\
<!DOCTYPE html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <title>{title}</title>
    <link rel="stylesheet" href="{root}/static_content/swagger-ui.css">
    <link rel="stylesheet" href="{root}/static_content/index.css">
    <link rel="icon" type="image/png" href="{root}/static_content/favicon-light-32x32.png">
  </head>
  <body>
    <div id="swagger-ui"></div>
    <script src="{root}/static_content/swagger-ui-bundle.js" charset="utf-8"></script>
    <script src="{root}{script}"></script>
  </body>
</html>
"""
# A page docs/NAME.html shows docs/NAME.json; every other one, such as /, that of the first model.
START = """\
const named = location.pathname.match(/\\/docs\\/([^/]+)\\.html$/);
SwaggerUIBundle({
  url: named ? `./${named[1]}.json` : "./docs.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  validatorUrl: null,
});
"""


def page(model: PackedModel) -> Protocol:
    """Return the protocol that serves the page."""
    title = html.escape(f"{model.name} {model.version}")
    content, below = (PAGE.format(title=title, script=SCRIPT_PATH, root=root).encode() for root in (".", ".."))

    async def show(request: Request) -> Response:
        return Response(content, HEADERS, content_type=HTML)

    async def show_named(request: Request) -> Response:
        return Response(below, HEADERS, content_type=HTML)

    async def start(request: Request) -> Response:
        return Response(START.encode(), HEADERS, content_type=SCRIPT)

    return Protocol(
        "page", (Route("GET", PATH, show), Route("GET", NAMED_PATH, show_named), Route("GET", SCRIPT_PATH, start))
    )


def restrict(send: Send) -> Send:
    """Let what BentoML answers carry the page's headers."""

    async def send_restricted(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message["headers"], *HEADERS]
        await send(message)

    return send_restricted
