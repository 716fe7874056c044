"""`ekiben canary` on services that only play: what it tells them, and that all step back if one does."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from ekiben.commands.__main__ import main
from ekiben.monitoring.canary import walk as module

Capture = pytest.CaptureFixture[str]
REASON = "errors: 26 of 2,000 requests to version 3 failed, 0 of 2,000 to version 2"


class Replica:
    """A service that does what it is told; it may step back, lag or be sick of it."""

    def __init__(self) -> None:
        self.told: list[Any] = []
        self.tokens: set[str | None] = set()
        self.state: dict[str, Any] = {"model": "tries", "status": "none", "share": 0.0}
        self.steps_back_at = self.rejects_at = 2.0
        self.rejection = "version 2 answers everyone already"
        self.loses_at = 2.0  # the answer to such a share, though it is taken
        self.lagging = 0  # answers that are of a worker that hasn't heard yet

    def read(self) -> dict[str, Any]:
        if self.lagging:
            self.lagging -= 1
            return {"model": "tries", "status": "none", "share": 0.0}
        if self.state["status"] == "running" and self.state["share"] >= self.steps_back_at:
            self.state = self.state | {"status": "stepped back", "share": 0.0, "reason": REASON}
        return self.state

    def load(self, parameters: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        self.told.append(parameters)
        share = parameters["share"]
        if share >= self.rejects_at:
            return 409, {"error": self.rejection}
        if share == 0 and self.state["status"] == "promoted":
            return 200, {"name": "tries", "version": "3", "state": "READY"}
        status = {0: "stopped", 1: "promoted"}.get(share, "running")
        changed = self.state.get("changed", 100.0) + 1
        self.state = {
            "model": "tries", "status": status, "share": share, "changed": changed, "champion": "2", "candidate": "3",
            "reason": f"{status} by a person", "step_backs": {}, "guardrails": [],
        }  # fmt: skip
        if share == 0:
            return 200, {"name": "tries", "version": "2", "state": "READY"}
        if share >= self.loses_at:
            return 502, {"error": "the answer was lost"}
        return 200, {"name": "tries", "version": "3", "share": share, "changed": changed}


def serve(replica: Replica) -> ThreadingHTTPServer:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            replica.tokens.add(self.headers["authorization"])
            self._answer(200, replica.read() if self.path == "/monitoring/canary" else {})

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            assert self.path == "/v2/repository/models/tries/load"
            self._answer(*replica.load(body["parameters"]))

        def _answer(self, status: int, content: Any) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(json.dumps(content).encode())

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    return server


@pytest.fixture
def replicas(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Replica]]:
    """Two replicas by their URLs."""
    monkeypatch.setattr(module, "POLL_S", 0.01)
    with ExitStack() as stack:
        served = {}
        for _ in range(2):
            replica = Replica()
            server = stack.enter_context(serve(replica))
            stack.callback(server.shutdown)
            served[f"http://127.0.0.1:{server.server_port}"] = replica
        yield served


def run(replicas: dict[str, Replica], *options: str) -> int:
    return main(["canary", *replicas, *options])


def list_shares(replica: Replica) -> list[float]:
    return [told["share"] for told in replica.told]


def test_it_walks_up_everywhere(replicas: dict[str, Replica], capsys: Capture) -> None:
    next(iter(replicas.values())).lagging = 3
    assert run(replicas, "--version", "3", "--steps", "1,10%,50,100", "--every", "0.1s") == 0
    assert [list_shares(replica) for replica in replicas.values()] == [[0.01, 0.1, 0.5, 1.0]] * 2
    assert capsys.readouterr().out.splitlines() == [
        "version 3 answers 1% of the callers for 0.1 s",
        "version 3 answers 10% of the callers for 0.1 s",
        "version 3 answers 50% of the callers for 0.1 s",
        "version 3 answers everyone",
    ]


def test_if_one_steps_back_all_do(replicas: dict[str, Replica], capsys: Capture) -> None:
    (url, bad), (_, good) = replicas.items()
    bad.steps_back_at = 0.5
    assert run(replicas, "--version", "3", "--steps", "10,50,100", "--every", "0.1s") == 3
    assert list_shares(good) == [0.1, 0.5, 0]
    assert capsys.readouterr().out.splitlines()[-2:] == [
        f"{url}: stepped back: {REASON}",
        "version 3 answers nobody any more, on any of the services named",
    ]


def test_one_that_takes_no_share_stops_the_others(replicas: dict[str, Replica], capsys: Capture) -> None:
    first, second = replicas.values()
    second.rejects_at = 0.1
    assert run(replicas, "--version", "3", "--share", "10%") == 2
    assert list_shares(first) == [0.1, 0]
    assert "answers 409: version 2 answers everyone already" in capsys.readouterr().err


def test_one_whose_answer_is_lost_goes_back_too(replicas: dict[str, Replica], capsys: Capture) -> None:
    first, second = replicas.values()
    second.loses_at = 0.1
    assert run(replicas, "--version", "3", "--share", "10%") == 2
    assert list_shares(first) == list_shares(second) == [0.1, 0]
    assert "lost; version 3 answers nobody any more, on any of the services named" in capsys.readouterr().err


def test_one_that_has_made_it_the_champion_is_named(replicas: dict[str, Replica], capsys: Capture) -> None:
    url, (_, second) = next(iter(replicas)), replicas.values()
    second.rejects_at = 1.0
    assert run(replicas, "--version", "3", "--steps", "10,100", "--every", "0.1s") == 2
    told = capsys.readouterr().err
    assert f"version 3 may answer still: {url} has made it the champion, so give the one before --share 100%" in told


def test_one_that_can_not_be_told_to_go_back_is_named(replicas: dict[str, Replica], capsys: Capture) -> None:
    (_, bad), (url, good) = replicas.items()
    bad.steps_back_at = 0.5

    def reject_stop(parameters: dict[str, Any], load: Any = good.load) -> tuple[int, dict[str, Any]]:
        return load(parameters) if parameters["share"] else (503, {"error": "no room"})

    good.load = reject_stop  # type: ignore[method-assign]
    assert run(replicas, "--version", "3", "--steps", "50,100", "--every", "0.1s") == 3
    assert f"version 3 may answer still: {url}" in capsys.readouterr().out


@pytest.mark.parametrize("option", [[], ["--stop"]])
def test_all_are_asked_though_one_does_not_answer(
    replicas: dict[str, Replica], option: list[str], capsys: Capture
) -> None:
    away = "http://127.0.0.1:9", "http://127.0.0.1:7"
    assert main(["canary", away[0], *replicas, away[1], *option]) == 2
    out, err = capsys.readouterr()
    assert [line.partition(": ")[0] for line in out.splitlines()] == list(replicas)
    assert [list_shares(replica) for replica in replicas.values()] == [[0] if option else []] * 2
    assert all(f"{url}/monitoring/canary can't be reached" in err for url in away)
    assert err.count("\n") == 1


def test_one_that_goes_away_stops_the_others(
    replicas: dict[str, Replica], monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.setattr(module, "LATE_S", 0.05)
    first, second = replicas.values()
    second.lagging = 10**6
    assert run(replicas, "--version", "3", "--steps", "10,100", "--every", "10s") == 3
    assert list_shares(first) == [0.1, 0]
    assert "it has no canary any more; was it started again?" in capsys.readouterr().out


def test_it_shows_and_stops(replicas: dict[str, Replica], monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    monkeypatch.setenv("AUTH_TOKEN", "secret")
    assert run(replicas) == 0
    assert run(replicas, "--version", "3", "--share", "10") == 0
    assert run(replicas) == 0
    assert run(replicas, "--stop") == 0
    told = [line.partition(": ")[2] or line for line in capsys.readouterr().out.splitlines()]
    shown = "version 3 answers 10% of the callers, version 2 the others"
    assert told == [
        *["there is no canary"] * 2,
        "version 3 answers 10% of the callers",
        *[shown] * 2,
        *["stopped: stopped by a person"] * 2,
    ]
    assert {token for replica in replicas.values() for token in replica.tokens} == {"Bearer secret"}


def test_no_service_is_one_sentence(capsys: Capture) -> None:
    assert main(["canary", "http://127.0.0.1:9"]) == 2
    sentence = "http://127.0.0.1:9/monitoring/canary can't be reached (Connection refused): is the service running?"
    assert sentence in capsys.readouterr().err


def test_what_a_service_says_is_printable(replicas: dict[str, Replica], capsys: Capture) -> None:
    evil = "\x1b[31m\nred"
    first, second = replicas.values()
    first.state |= {"status": "stepped back", "reason": evil}
    assert run(replicas) == 0
    second.rejects_at, second.rejection = 0.1, evil
    assert run(replicas, "--version", "3", "--share", "10") == 2
    out, err = capsys.readouterr()
    assert "stepped back: \\x1b[31m\\nred\n" in out
    assert "answers 409: \\x1b[31m\\nred; version 3 answers nobody any more" in err


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--share", "10"], "--version goes with --share or --steps"),
        (["--version", "3"], "--version goes with --share or --steps"),
        (["--version", "3", "--share", "0"], "expected per cent, above 0 and up to 100, got '0'"),
        (["--version", "3", "--steps", "10,1"], "expected shares that rise, such as 1,10,50,100, got '10,1'"),
        (["--version", "3", "--steps", "1,x"], "expected per cent, above 0 and up to 100, got 'x'"),
        (["--version", "3", "--share", "1", "--every", "10"], "expected a duration such as 30s, 10m or 2h, got '10'"),
        (["--share", "1", "--stop"], "not allowed with argument"),
    ],
)
def test_a_mistake_is_one_sentence(options: list[str], sentence: str, capsys: Capture) -> None:
    with pytest.raises(SystemExit):
        main(["canary", "http://127.0.0.1:9", *options])
    assert sentence in capsys.readouterr().err
