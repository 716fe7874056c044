"""OpenLineage events: what the specification asks for, where the variable says, and never in the way of a training."""

import json
import re
import threading
import uuid
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ekiben.training.problem import ProblemConfig
from ekiben.training.registry.openlineage import tell_lineage
from tests.conftest import free_port

SECRET = "s3cr3t-word"
RUN: Any = SimpleNamespace(info=SimpleNamespace(run_id="0123456789abcdef0123456789abcdef"))
Received = list[tuple[str, str | None, dict[str, Any]]]
Capture = pytest.CaptureFixture[str]


def make_problem(**source: Any) -> ProblemConfig:
    said = {"name": "goods", "target": {"name": "sold", "task": "binary"}, "source": source}
    return ProblemConfig.model_validate(said | {"features": {"size": {"kind": "number"}}})


FLIGHTS = make_problem(loader="flights")


@pytest.fixture
def events(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that events are written to."""
    monkeypatch.setenv("OPENLINEAGE_URL", f"file://{tmp_path}/events.jsonl")
    return tmp_path / "events.jsonl"


@pytest.fixture
def catalogue() -> Iterator[tuple[str, Received]]:
    """A catalogue's address, and what it got; it refuses whatever is not sent where OpenLineage's clients send it."""
    received: Received = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received.append((self.path, self.headers["Authorization"], json.loads(body)))
            self.send_response(201 if self.path == "/api/v1/lineage" else 404)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", received
    server.shutdown()
    thread.join()
    server.server_close()


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_run_that_ends_well_has_two_events(events: Path) -> None:
    with tell_lineage(RUN, FLIGHTS, "abc"):
        assert [event["eventType"] for event in read(events)] == ["START"]
    start, complete = read(events)
    assert complete["eventType"] == "COMPLETE"
    assert start["run"]["runId"] == complete["run"]["runId"] == str(uuid.UUID(RUN.info.run_id))
    assert start["job"] == {"namespace": "default", "name": "goods.train", "facets": {}}
    assert start["inputs"][0]["facets"]["version"]["datasetVersion"] == "abc"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+\+00:00", start["eventTime"])
    assert start["schemaURL"].endswith("/2-0-2/OpenLineage.json#/$defs/RunEvent")
    assert all(facet["_producer"] and facet["_schemaURL"] for facet in start["inputs"][0]["facets"].values())


@pytest.mark.parametrize(("error", "kind"), [(ValueError("diverged"), "FAIL"), (KeyboardInterrupt(), "ABORT")])
def test_a_run_that_does_not_end_well_says_so(events: Path, error: BaseException, kind: str) -> None:
    with pytest.raises(type(error)), tell_lineage(RUN, FLIGHTS, "abc"):
        raise error
    _, end = read(events)
    assert end["eventType"] == kind
    message = end["run"]["facets"].get("errorMessage", {}).get("message")
    assert message == ("diverged" if kind == "FAIL" else None)


def test_events_have_no_secret(events: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_PASSWORD", SECRET)
    problem = make_problem(url=f"postgresql://bob:{SECRET}@shop/db", query=f"SELECT '{SECRET}'")
    with pytest.raises(ValueError, match=SECRET), tell_lineage(RUN, problem, "abc"):
        raise ValueError(f"password {SECRET} is wrong")
    assert SECRET not in events.read_text()
    assert read(events)[0]["inputs"][0]["namespace"] == "postgresql://…@shop/db"


def test_a_catalogue_gets_them_over_http(
    catalogue: tuple[str, Received], monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    url, received = catalogue
    monkeypatch.setenv("OPENLINEAGE_URL", url)
    monkeypatch.setenv("OPENLINEAGE_API_KEY", SECRET)
    monkeypatch.setenv("OPENLINEAGE_NAMESPACE", "shop")
    with tell_lineage(RUN, FLIGHTS, "abc"):
        pass
    assert [(path, key) for path, key, _ in received] == [("/api/v1/lineage", f"Bearer {SECRET}")] * 2
    assert received[0][2]["job"]["namespace"] == "shop"
    assert capsys.readouterr().out == ""


def test_a_catalogue_that_is_away_stops_nothing(
    catalogue: tuple[str, Received], monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    away = f"http://bob:{SECRET}@127.0.0.1:{free_port()}"
    for url, reason in ((away, ""), (f"{catalogue[0]}/other", "answered 404")):
        monkeypatch.setenv("OPENLINEAGE_URL", url)
        with tell_lineage(RUN, FLIGHTS, "abc"):
            pass
        printed = capsys.readouterr().out
        assert printed.startswith("note: the event START did not reach OPENLINEAGE_URL: ")
        assert reason in printed
        assert SECRET not in printed
        assert printed.count("\n") == 2


@pytest.mark.parametrize("variables", [{}, {"OPENLINEAGE_DISABLED": "True", "OPENLINEAGE_URL": "file:/nowhere/x"}])
def test_without_an_address_nothing_is_sent(
    variables: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.delenv("OPENLINEAGE_URL", raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with tell_lineage(RUN, FLIGHTS, "abc"):
        pass
    assert capsys.readouterr().out == ""
