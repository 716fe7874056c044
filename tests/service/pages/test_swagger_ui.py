"""The page for people asks no other host for anything, and shows a model's names and descriptions as text."""

import asyncio
import gzip
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest

from ekiben.contract.feature import Number
from ekiben.contract.schema import Schema, Target
from ekiben.model.package import Manifest, PackedModel
from ekiben.service.http.messages import Request, Response
from ekiben.service.pages import swagger_ui
from ekiben.service.protocols.openapi.document import describe_service
from ekiben.service.protocols.openapi.markup import escape_markup
from ekiben.service.protocols.predict import PREDICT
from ekiben.service.protocols.protocol import Protocol, Route
from tests.browser import find_chromium
from tests.conftest import NAME, Server
from tests.http_client import HTTP

BROWSER = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
OTHER_HOST = re.compile(r"""(?:src|href|action)=["']?(?:\w+:)?//""")
EVIL = "<img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def page(server: Server) -> httpx.Response:
    return HTTP.get(f"{server.url}/docs.html", headers=BROWSER)


@pytest.mark.slow
def test_the_page_names_no_other_host_and_holds_no_script_of_its_own(page: httpx.Response) -> None:
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert not OTHER_HOST.search(page.text)
    assert "google" not in page.text
    assert re.findall(r"<script[^>]*>([^<]*)", page.text) == ["", ""]
    assert NAME not in page.text  # it is open to everybody


@pytest.mark.slow
@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/docs.html",
        "/docs.js",
        "/docs.css",
        "/docs/swagger-ui-bundle.js",
        "/static_content/swagger-ui.css",
        "/nothing",
        "/docs.htm",
    ],
)
def test_every_page_keeps_the_browser_at_home(server: Server, path: str) -> None:
    headers = HTTP.get(server.url + path, headers=BROWSER).headers
    policy = dict(rule.split(" ", 1) for rule in headers["content-security-policy"].split("; "))
    assert policy["default-src"] == policy["frame-ancestors"] == "'none'"
    assert policy["script-src"] == policy["connect-src"] == "'self'"
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"


@pytest.mark.slow
def test_what_the_page_loads_is_there(server: Server, page: httpx.Response) -> None:
    for path in re.findall(r'(?:src|href)="\.([^"]+)"', page.text):
        assert HTTP.get(server.url + path, headers=BROWSER).status_code == 200, path
    script = HTTP.get(f"{server.url}/docs.js")
    assert script.headers["content-type"] == "text/javascript; charset=utf-8"
    assert "validatorUrl: null" in script.text  # else Swagger UI sends the address to a validator
    assert "//" not in script.text


def test_all_who_ask_for_the_bundle_get_the_same_bytes() -> None:
    (route,) = (route for route in swagger_ui.page().routes if route.path == "/docs/swagger-ui-bundle.js")

    async def ask(coding: bytes) -> Response:
        scope = {"method": "GET", "path": route.path, "headers": [(b"accept-encoding", coding)]}
        answer = await route.answer(Request(scope, asyncio.Queue().get))
        assert isinstance(answer, Response)
        return answer

    async def ask_twice(coding: bytes) -> tuple[Response, Response]:
        return await ask(coding), await ask(coding)

    plain, again = asyncio.run(ask_twice(b"identity"))
    assert plain.body is again.body
    packed, again = asyncio.run(ask_twice(b"gzip, br"))
    assert packed.body is again.body
    assert gzip.decompress(packed.body) == plain.body
    assert (b"content-encoding", b"gzip") in packed.headers
    assert packed.content_type == b"text/javascript; charset=utf-8"


@pytest.mark.slow
def test_a_browser_shows_every_route_and_asks_nobody_else(server: Server, tmp_path: Path) -> None:
    chromium = find_chromium()
    if chromium is None:
        pytest.skip("Chromium is not installed")
    log = tmp_path / "net.json"
    # Not 127.0.0.1: there Swagger UI asks no validator.
    address = server.url.replace("127.0.0.1", "service.test") + "/docs.html"
    shown = subprocess.run(
        [chromium, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync", f"--user-data-dir={tmp_path}/profile",
         "--host-resolver-rules=MAP service.test 127.0.0.1, MAP * ~NOTFOUND", f"--log-net-log={log}",
         "--virtual-time-budget=10000", "--dump-dom", address],
        capture_output=True, text=True, timeout=120, env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    for path in ("/predict", "/invocations", "/v2/health/ready"):
        assert f'data-path="{path}"' in shown.stdout, shown.stderr
    hosts = set(re.findall(r'"url":"https?://([^/":]+)', log.read_text()))
    its_own = {host for host in hosts if host.endswith((".google.com", ".googleapis.com"))}  # Chromium's, of any page
    assert hosts - its_own == {"service.test"}


@pytest.mark.parametrize(
    "text", [EVIL, "![i](https://evil.example/x)", "[l](javascript:alert(1))", "AT&T", "a < b", "[mph]", "&lt;b&gt;"]
)
def test_a_description_is_no_markup(text: str) -> None:
    escaped = escape_markup(text)
    assert "<" not in escaped
    assert "](" not in escaped
    assert "![" not in escaped


def predicting() -> Protocol:
    async def answer(request: Request) -> bytes:
        return b""

    return Protocol("predict", (Route("POST", "/predict", answer, operation=PREDICT),))


def describe(**target: Any) -> dict[str, Any]:
    """The document of a model with a feature of that name."""
    feature = Number(name=EVIL, low=0, high=1, description=EVIL, unit=EVIL, example=0.5)
    schema = Schema(name="evil", features=(feature,), target=Target(name=EVIL, task="regression", **target))
    files = {"schema.json": "", "golden.json": "", "model.tflite": ""}
    manifest = Manifest(name="evil", version="1", run_id="run", engine="litert", files=files)
    return describe_service([predicting()], PackedModel(Path(), schema, manifest))


@pytest.mark.parametrize("description", ["", EVIL])
def test_names_and_descriptions_are_text_in_the_document(description: str) -> None:
    document = describe(description=description)
    row = document["components"]["schemas"]["Row"]
    assert "&lt;img" in document["info"]["description"]
    assert "<" not in document["info"]["description"] + row["properties"][EVIL]["description"]
    assert list(row["properties"]) == row["required"] == [EVIL]  # a name stays one
    assert row["example"] == {EVIL: 0.5}
    assert json.dumps(document).count("&lt;img") >= 3
