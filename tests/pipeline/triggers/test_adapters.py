"""Adapters call engines as their documented APIs want it: a small server stands for each, and checks the request."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import pytest

from ekiben.pipeline.triggers.adapters import airflow, kubeflow
from ekiben.pipeline.triggers.adapters.calls import run
from tests.pipeline.triggers.recorded_runs import make_event

Capture = pytest.CaptureFixture[str]
SECRET = "opensesame"
EVENT = make_event(1, version="3")
ASSET = "x-ekiben://shop/retrain"


@dataclass
class Engine:
    """A server that records requests, and answers with what is at hand for a path."""

    answers: dict[str, tuple[int, Any]]
    calls: list[tuple[str, str, Any]] = field(default_factory=list)  # method and path, token, body
    url: str = ""


@contextmanager
def serve(answers: dict[str, tuple[int, Any]]) -> Iterator[Engine]:
    engine = Engine(answers)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            call = f"{self.command} {self.path}"
            engine.calls.append((call, self.headers.get("authorization", ""), json.loads(body) if body else None))
            status, answer = engine.answers.get(call.partition("?")[0], (404, {"error": "not found"}))
            content = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST

        def log_message(self, *arguments: Any) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        engine.url = f"http://127.0.0.1:{server.server_address[1]}"
        yield engine
        server.shutdown()
        thread.join()


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> Callable[..., tuple[int, str]]:
    """Run an adapter as `ekiben watch` does; return its exit code and what it printed."""

    def run_adapter(adapter: Any, **environment: str) -> tuple[int, str]:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(sys, "argv", ["adapter", "--event", EVENT.to_json()])
        code = run(adapter)
        printed = "".join(capsys.readouterr())
        assert SECRET not in printed
        assert printed.count("\n") == 1
        return code, printed

    return run_adapter


Call = Callable[..., tuple[int, str]]
RUNS = "POST /apis/v2beta1/runs"
EVENTS, ASSETS, TOKENS = "POST /api/v2/assets/events", "GET /api/v2/assets", "POST /auth/token"


def test_kubeflow_gets_a_run_of_the_pipeline_with_the_event(call: Call) -> None:
    with serve({RUNS: (200, {"run_id": "r-1", "state": "PENDING"})}) as engine:
        settings = {"KFP_PIPELINE_ID": "p-1", "KFP_VERSION_ID": "v-2", "KFP_EXPERIMENT_ID": "e-3", "KFP_TOKEN": SECRET}
        assert call(kubeflow.create_run, KFP_URL=f"{engine.url}/", **settings) == (0, "Kubeflow runs r-1 for drift\n")
    ((path, token, body),) = engine.calls
    assert (path, token) == (RUNS, f"Bearer {SECRET}")
    assert json.loads(body["runtime_config"]["parameters"].pop("event")) == json.loads(EVENT.to_json())
    assert body == {
        "display_name": f"shop: drift, {EVENT.time:%Y-%m-%d %H:%M}",
        "experiment_id": "e-3",
        "pipeline_version_reference": {"pipeline_id": "p-1", "pipeline_version_id": "v-2"},
        "runtime_config": {"parameters": {}},
    }


def test_without_version_experiment_and_token_none_is_sent(call: Call) -> None:
    with serve({RUNS: (200, {"run_id": "r-1"})}) as engine:
        assert call(kubeflow.create_run, KFP_URL=engine.url, KFP_PIPELINE_ID="p-1")[0] == 0
    ((_, token, body),) = engine.calls
    assert (token, body["pipeline_version_reference"]) == ("", {"pipeline_id": "p-1"})
    assert "experiment_id" not in body


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        ((200, {}), "answers without a run_id: is this the API of Kubeflow Pipelines 2?"),
        ((200, b"<html>"), "answers no JSON object: is this the engine's API?"),
        ((200, b"[" * 100_000), "answers no JSON object"),
        ((200, b'{"a": "' + b"x" * (2 << 20) + b'"}'), "answers no JSON object"),
        ((401, {"error": f"wrong token {SECRET}"}), 'answers 401: {"error": "wrong token …"}'),
        ((302, b""), "answers 302: "),
        ((500, b"\x1b[31m\xff" + b"y" * 5000), "answers 500: \\x1b[31m"),
    ],
)
def test_what_kubeflow_says_instead_is_one_sentence(answer: tuple[int, Any], sentence: str, call: Call) -> None:
    with serve({RUNS: answer}) as engine:
        code, printed = call(kubeflow.create_run, KFP_URL=engine.url, KFP_PIPELINE_ID="p-1", KFP_TOKEN=SECRET)
    assert code == 2
    assert printed.startswith(f"error: {engine.url}/apis/v2beta1/runs {sentence}")


def test_an_engine_that_is_away_is_said_without_the_login(call: Call) -> None:
    settings = {"KFP_URL": f"http://me:{SECRET}@127.0.0.1:9", "KFP_PIPELINE_ID": "p-1"}
    code, printed = call(kubeflow.create_run, **settings)
    assert code == 2
    assert printed.startswith("error: http://…@127.0.0.1:9/apis/v2beta1/runs can't be called (")


def test_a_setting_that_is_missing_is_named(call: Call) -> None:
    assert call(kubeflow.create_run) == (2, "error: set KFP_URL (docs/triggers.md)\n")


def test_airflow_gets_an_event_of_the_asset(call: Call) -> None:
    others = [{"id": 4, "uri": f"{ASSET}/other"}, {"id": 5, "uri": ASSET, "name": "retrain"}]
    answers = {ASSETS: (200, {"assets": others, "total_entries": 2}), EVENTS: (200, {"id": 9, "asset_id": 5})}
    with serve(answers) as engine:
        settings = {"AIRFLOW_ASSET": ASSET, "AIRFLOW_TOKEN": SECRET}
        code, printed = call(airflow.create_asset_event, AIRFLOW_URL=engine.url, **settings)
    assert (code, printed) == (0, f"Airflow has the event 9 of {ASSET} for drift\n")
    (asked, token, _), (path, _, body) = engine.calls
    assert (asked, token) == (f"{ASSETS}?uri_pattern=x-ekiben%3A%2F%2Fshop%2Fretrain", f"Bearer {SECRET}")
    assert path == EVENTS
    assert (body.keys(), body["asset_id"], body["extra"].keys()) == ({"asset_id", "extra"}, 5, {"event"})
    assert json.loads(body["extra"]["event"]) == json.loads(EVENT.to_json())


def test_airflow_gives_a_token_for_name_and_password(call: Call) -> None:
    answers = {
        TOKENS: (201, {"access_token": "made"}), ASSETS: (200, {"assets": [{"id": 5, "uri": ASSET}]}),
        EVENTS: (200, {"id": 9}),
    }  # fmt: skip
    with serve(answers) as engine:
        settings = {"AIRFLOW_ASSET": ASSET, "AIRFLOW_USERNAME": "me", "AIRFLOW_PASSWORD": SECRET}
        assert call(airflow.create_asset_event, AIRFLOW_URL=engine.url, **settings)[0] == 0
    assert engine.calls[0] == (TOKENS, "", {"username": "me", "password": SECRET})
    assert [token for _, token, _ in engine.calls[1:]] == ["Bearer made"] * 2


@pytest.mark.parametrize(
    ("answers", "sentence"),
    [
        ({ASSETS: (200, {"assets": []})}, f"error: Airflow has no asset {ASSET}: a DAG must name it, and be parsed\n"),
        ({ASSETS: (200, {"assets": [{"uri": ASSET}, 5, None]})}, f"error: Airflow has no asset {ASSET}"),
        ({ASSETS: (200, {"assets": 5})}, f"error: Airflow has no asset {ASSET}"),
        ({ASSETS: (403, {"detail": "Forbidden"})}, "/api/v2/assets answers 403"),
        ({ASSETS: (200, {"assets": [{"id": 5, "uri": ASSET}]})}, "/api/v2/assets/events answers 404"),
    ],
)
def test_what_airflow_says_instead_is_one_sentence(answers: dict[str, Any], sentence: str, call: Call) -> None:
    with serve(answers) as engine:
        settings = {"AIRFLOW_ASSET": ASSET, "AIRFLOW_TOKEN": SECRET}
        code, printed = call(airflow.create_asset_event, AIRFLOW_URL=engine.url, **settings)
    assert (code, sentence in printed) == (2, True)


def test_a_login_without_a_token_is_said(call: Call) -> None:
    with serve({TOKENS: (200, {})}) as engine:
        settings = {"AIRFLOW_ASSET": ASSET, "AIRFLOW_USERNAME": "me", "AIRFLOW_PASSWORD": SECRET}
        code, printed = call(airflow.create_asset_event, AIRFLOW_URL=engine.url, **settings)
    assert (code, printed.endswith("/auth/token answers without an access_token: is this Airflow 3?\n")) == (2, True)
