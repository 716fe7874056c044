"""The clients that pages use, @connectrpc/connect-web and grpc-web, against a real service; and Chromium's own rules.

The clients are Node's packages, so they run where that is asked for: EKIBEN_WEB=1 python -m pytest tests/service/web
"""

import base64
import json
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ekiben.model.package import PackedModel
from ekiben.service.protos import DESCRIPTORS_FILE
from tests.browser import TIMEOUT_MS, find_chromium, run_chromium
from tests.conftest import NAME, ROOT, Server, free_port, serve

HERE = Path(__file__).parent / "clients"
NODE = ROOT / ".venv-peers" / "web"
TOKEN = "s3cret-t0ken"
UNKNOWN = f"model 'nope' is not served here: `{NAME}` is"
pytestmark = pytest.mark.slow
asked_for = pytest.mark.skipif(
    os.environ.get("EKIBEN_WEB") != "1",
    reason="it installs Node's packages: EKIBEN_WEB=1 python -m pytest tests/service/web",
)


@pytest.fixture(scope="module")
def page_port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def open_to_pages(model: PackedModel, page_port: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A service with a token, that pages of one origin may call."""
    settings = {"AUTH_TOKEN": TOKEN, "CORS_ORIGINS": f"http://localhost:{page_port}"}
    with serve(tmp_path_factory.mktemp("web"), **settings) as running:
        yield running


def request(model: PackedModel) -> dict[str, Any]:
    """The model's example as ModelInfer's JSON; dates and categories are strings, and all else numbers."""
    inputs = []
    for name, value in model.schema.example.items():
        text = isinstance(value, str)
        contents = {"bytesContents": [to_base64(value)]} if text else {"fp32Contents": [value]}
        inputs.append(
            {"name": name, "datatype": "BYTES" if text else "FP32", "shape": ["1", "1"], "contents": contents}
        )
    return {"modelName": NAME, "inputs": inputs}


def to_base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def run_node(script: str, *arguments: str) -> Any:
    if not (NODE / "node_modules").exists():
        NODE.mkdir(parents=True, exist_ok=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(HERE / name, NODE)
        subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=NODE, check=True, timeout=600)
    shutil.copy(HERE / script, NODE)
    done = subprocess.run(
        ["node", NODE / script, *arguments], cwd=NODE, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


def read_answer(answer: Any) -> tuple[np.float32, bool]:
    """Return the probability, which some ways write as a double, and the label."""
    probability, label = (output["contents"] for output in answer["outputs"])
    return np.float32(probability["fp32Contents"][0]), label["boolContents"][0]


@asked_for
def test_connects_client_calls_in_each_of_its_ways(open_to_pages: Server, model: PackedModel) -> None:
    said = run_node("connect.mjs", open_to_pages.url, str(DESCRIPTORS_FILE), TOKEN, json.dumps(request(model)))
    assert said.keys() == {"connect-json", "connect-proto", "connect-get", "grpc-web"}
    answers = [read_answer(one["answer"]) for one in said.values()]
    assert answers == answers[:1] * 4
    for one in said.values():
        assert (one["live"], one["watched"]) == (True, 1)
        assert one["answer"]["modelVersion"] == one["trailers"]["x-model-version"] == model.version
        assert one["trailers"]["x-prediction-id"]
        assert (one["unknown"]["code"], one["unknown"]["message"]) == ("NotFound", UNKNOWN)
    said = run_node("connect.mjs", open_to_pages.url, str(DESCRIPTORS_FILE), "", json.dumps(request(model)))
    for one in said.values():
        assert (one["live"], one["answer"]["code"], one["watched"]) == (True, "Unauthenticated", 1)


@asked_for
def test_grpc_webs_client_calls_in_both_formats(open_to_pages: Server) -> None:
    unknown = {"code": 5, "message": UNKNOWN}
    said = run_node("grpc_web.mjs", open_to_pages.url, TOKEN)
    assert said == {f"text {NAME}": True, "text nope": unknown, f"binary {NAME}": True, "binary nope": unknown}


@contextmanager
def serve_page(port: int) -> Iterator[str]:
    """Serve an empty page on a port of this machine, and yield its address."""

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("content-type", "text/html")
            self.end_headers()
            self.wfile.write(b"<!doctype html><title>a page</title>")

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("localhost", port), Page)
    threading.Thread(target=server.serve_forever).start()
    try:
        yield f"http://localhost:{port}/"
    finally:
        server.shutdown()
        server.server_close()


# Posts to the service as a page does; returns what the page gets to see.
CALL = """async ([url, path, type, body, token]) => {
    const headers = { "content-type": type };
    if (token) headers.authorization = `Bearer ${token}`;
    try {
        const answered = await fetch(url + path, { method: "POST", headers, body: Uint8Array.from(body) });
        const seen = [...new Uint8Array(await answered.arrayBuffer())];
        const id = answered.headers.get("x-prediction-id") ?? answered.headers.get("trailer-x-prediction-id");
        return { status: answered.status, body: seen, id };
    } catch (error) {
        return { error: `${error}` };
    }
}"""


def test_a_page_of_an_allowed_origin_calls_and_one_of_another_does_not(
    open_to_pages: Server, model: PackedModel, page_port: int
) -> None:
    chromium = find_chromium()
    if chromium is None:
        pytest.skip("Chromium is not installed")
    rows = json.dumps({"rows": [model.schema.example]}).encode()
    infer = json.dumps(request(model)).encode()
    oip = "/inference.GRPCInferenceService"
    calls = {
        "predict": ("/predict", "application/json", rows, TOKEN),
        "connect": (f"{oip}/ModelInfer", "application/json", infer, TOKEN),
        "grpc-web": (f"{oip}/ServerMetadata", "application/grpc-web+proto", b"\0\0\0\0\0", TOKEN),
        "no token": ("/predict", "application/json", rows, ""),
        "not there": ("/nothing", "application/json", b"{}", TOKEN),
    }

    def call_from(address: str) -> dict[str, Any]:
        page = browser.new_context().new_page()
        page.set_default_timeout(TIMEOUT_MS)
        page.goto(address)
        return {
            name: page.evaluate(CALL, [open_to_pages.url, path, kind, list(body), token])
            for name, (path, kind, body, token) in calls.items()
        }

    with run_chromium(chromium) as browser, serve_page(page_port) as allowed, serve_page(free_port()) as other:
        seen, unseen = call_from(allowed), call_from(other)
    assert {name: one.get("status") for name, one in seen.items()} == {
        "predict": 200, "connect": 200, "grpc-web": 200, "no token": 401, "not there": 404,
    }  # fmt: skip
    assert seen["predict"]["id"]
    assert seen["connect"]["id"]
    assert b"grpc-status: 0" in bytes(seen["grpc-web"]["body"])
    assert all("Failed to fetch" in one["error"] for one in unseen.values())
