"""Events over HTTP: what is taken, what is rejected in one sentence, and a storm."""

import json
import resource
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from ekiben.pipeline.triggers.events import listening
from ekiben.pipeline.triggers.events.alertmanager import MAX_BYTES, REASONS, read_alerts
from ekiben.pipeline.triggers.events.cloud_event import STRUCTURED, to_binary, to_structured
from ekiben.pipeline.triggers.events.event import InvalidEvent
from ekiben.pipeline.triggers.events.listening import CannotListen, Listener
from ekiben.pipeline.triggers.memory import Memory
from tests.conftest import PATIENCE_S, ROOT
from tests.pipeline.triggers.recorded_runs import RecordedRuns, make_event, make_watcher

TOKEN = "opensesame"
HEADERS = {"authorization": f"Bearer {TOKEN}"}
JSON = b'{"model":"shop","reason":"manual"}'
INSTANCE = "ekiben:8080"


@pytest.fixture
def listener(runs: RecordedRuns) -> Iterator[Listener]:
    listener = Listener(make_watcher(runs), ("127.0.0.1", 0), TOKEN, {INSTANCE})
    yield listener
    listener.stop()


@pytest.fixture
def client(listener: Listener) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"http://127.0.0.1:{listener.port}", headers=HEADERS, timeout=PATIENCE_S) as client:
        yield client


def list_records() -> list[dict[str, Any]]:
    return Memory("shop").decisions.read()


def make_alert(name: str = "EkibenDataChanged", status: str = "firing", **labels: str) -> dict[str, Any]:
    named = {"alertname": name, "severity": "warning", "model": "shop", **labels}
    return {
        "status": status, "labels": {key: value for key, value in named.items() if value}, "annotations": {},
        "startsAt": "2026-11-27T03:00:00.123456789Z", "endsAt": "0001-01-01T00:00:00Z", "fingerprint": "5d1f",
        "generatorURL": "http://prometheus:9090/graph",
    }  # fmt: skip


def make_payload(*alerts: dict[str, Any], version: str = "4") -> bytes:
    """Return a notification as Alertmanager's documentation has it."""
    payload = {
        "version": version, "groupKey": '{}:{alertname="EkibenDataChanged"}', "truncatedAlerts": 0,
        "status": "firing", "receiver": "ekiben", "groupLabels": {}, "commonLabels": {}, "commonAnnotations": {},
        "externalURL": "http://alertmanager:9093", "alerts": list(alerts),
    }  # fmt: skip
    return json.dumps(payload).encode()


def test_an_event_is_answered_with_the_decision(client: httpx.Client, runs: RecordedRuns) -> None:
    answer = client.post("/events", content=JSON)
    (decision,) = answer.json()["decisions"]
    assert (answer.status_code, decision["train"]) == (200, True)
    assert decision["sentence"] == "a training begins (manual: it was asked for)"
    runs.wait_for_calls(1)
    assert runs.calls[0]["id"] == decision["id"]
    (second,) = client.post("/events", content=JSON).json()["decisions"]
    assert (second["train"], second["sentence"]) == (False, "no training begins: a run of the model is on")


@pytest.mark.parametrize("binary", [False, True])
def test_a_cloud_event_is_taken(binary: bool, client: httpx.Client, runs: RecordedRuns) -> None:
    event = make_event(7)
    headers, body = to_binary(event) if binary else ({"content-type": STRUCTURED}, to_structured(event))
    assert client.post("/events", content=body, headers=headers).json()["decisions"][0]["train"]
    runs.wait_for_calls(1)
    assert runs.calls == [json.loads(event.to_json())]


def test_a_storm_of_a_thousand_events_is_one_run_and_one_more_record(client: httpx.Client, runs: RecordedRuns) -> None:
    bodies = [make_event(number).to_json().encode() for number in range(1000)]
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda body: client.post("/events", content=body), bodies))
    assert {answer.status_code for answer in answers} == {200}
    assert sum(answer.json()["decisions"][0]["train"] for answer in answers) == 1
    assert [(record["kind"], record["count"]) for record in list_records()] == [("train", 1), ("running", 999)]
    runs.end()
    assert len(runs.calls) == 1


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer wrong", f"Basic {TOKEN}", f"bearer {TOKEN}", "Bearer \xe9"])
@pytest.mark.parametrize("path", ["/events", "/alertmanager"])
def test_nobody_is_heard_without_the_token(path: str, header: str, client: httpx.Client) -> None:
    answer = client.post(path, content=JSON, headers={"authorization": header.encode("latin-1")})  # type: ignore[dict-item]
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert answer.json() == {"error": "send `Authorization: Bearer …` with the WATCH_TOKEN of this watcher"}
    assert list_records() == []


@pytest.mark.parametrize(
    ("path", "body", "sentence"),
    [
        ("/events", b"", "not an event: invalid JSON"),
        ("/events", b"\x00" * 100, "not an event: invalid JSON"),
        ("/events", b"[" * 60_000, "not an event: invalid JSON: recursion limit"),
        ("/events", b'{"model":"shop","reason":"drift","evidence":' + b'{"a":' * 5000, "not an event: invalid JSON"),
        ("/events", b'{"model":"bikes","reason":"manual"}', "the event is of `bikes`, and `shop` is watched here"),
        ("/alertmanager", b"{}", "not a notification of Alertmanager, version 4: `version`: field required"),
        ("/alertmanager", make_payload(version="3"), "not a notification of Alertmanager, version 4: `versio"),
        ("/alertmanager", make_payload({"status": "firing"}), "not a notification of Alertmanager, version 4: `alerts"),
        ("/alertmanager", b'{"version":"4","alerts":[' + b"{}," * 10_001 + b"{}]}", "not a notification of"),
    ],
)  # fmt: skip
def test_a_hostile_body_is_400_and_one_sentence(path: str, body: bytes, sentence: str, client: httpx.Client) -> None:
    answer = client.post(path, content=body)
    assert answer.status_code == 400
    assert answer.json()["error"].startswith(sentence)
    assert answer.json()["error"].isprintable()
    assert list_records() == []


def test_a_body_that_is_too_large_is_413_before_it_is_there(client: httpx.Client) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    def drip() -> Iterator[bytes]:
        for _ in range(100):
            yield b" " * (1 << 20)

    for path, limit in (("/events", 65_536), ("/alertmanager", MAX_BYTES)):
        said = f"the body has more than {limit:,} bytes: send less"
        answer = client.post(path, content=b" " * (limit + 1))
        assert (answer.status_code, answer.json()["error"]) == (413, said)
        try:
            answer = client.post(path, content=drip())
        except httpx.TransportError:
            continue  # the server closed while the body was on its way
        assert answer.status_code == 413
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 32 * 1024  # KiB


@pytest.mark.parametrize("length", ["-1", "1e3", "9" * 30])
def test_a_length_that_is_none_is_rejected(length: str, listener: Listener) -> None:
    head = f"POST /events HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {TOKEN}\r\nContent-Length: {length}\r\n\r\n"
    assert exchange(listener.port, head.encode())[9:10] == b"4"


def test_a_head_without_end_is_closed(listener: Listener) -> None:
    answer = exchange(listener.port, b"POST /events HTTP/1.1\r\n" + b"a: b\r\n" * 20_000)
    assert answer[9:12] == b"400"


def test_a_body_that_does_not_come_is_408(listener: Listener, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listening, "BODY_TIMEOUT_S", 0.1)
    head = f"POST /events HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {TOKEN}\r\nContent-Length: 9\r\n\r\n"
    answer = exchange(listener.port, head.encode())
    assert answer[9:12] == b"408"
    assert b"the body did not come within" in answer


def exchange(port: int, content: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) as connection:
        with suppress(OSError):  # it is closed already
            connection.sendall(content)
        try:
            return connection.recv(65_536)
        except ConnectionResetError:
            return b"HTTP/1.1 400 closed"


def test_other_paths_and_methods_are_said(client: httpx.Client) -> None:
    for method, path, status in (("GET", "/events", 405), ("POST", "/", 404), ("POST", "/events/..%2f", 404)):
        answer = client.request(method, path)
        assert answer.status_code == status
        assert answer.json()["error"].endswith(": there is POST /events and POST /alertmanager")


def test_a_full_disk_is_503(client: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(descriptor: int) -> None:
        raise OSError(28, "No space left on device", "shop.part")

    monkeypatch.setattr("os.fsync", fail)
    answer = client.post("/events", content=JSON)
    assert answer.status_code == 503
    assert answer.json() == {
        "error": "nothing can be decided, for nothing can be noted (No space left on device): send it again"
    }


def test_an_address_in_use_is_said(listener: Listener, runs: RecordedRuns) -> None:
    with pytest.raises(CannotListen, match=rf"^--listen 127.0.0.1:{listener.port}: it can't be listened on \(.*in use"):
        Listener(make_watcher(runs), ("127.0.0.1", listener.port), TOKEN, ())


def test_alerts_of_a_model_that_fire_are_one_event(client: httpx.Client, runs: RecordedRuns) -> None:
    firing = [make_alert(feature=name) for name in ("kind", "heat")]
    resolved = make_alert(feature="price", status="resolved")
    others = [resolved, make_alert(feature="x", model="bikes"), make_alert("EkibenDown")]
    for train in (True, False):
        (decision,) = client.post("/alertmanager", content=make_payload(*firing, *others)).json()["decisions"]
        assert decision["train"] == train
    runs.wait_for_calls(1)
    (call,) = runs.calls
    assert (call["reason"], call["evidence"]["features"]) == ("drift", ["heat", "kind"])
    assert call["evidence"]["since"] == "2026-11-27T03:00:00.123456+00:00"


def test_alerts_that_are_sent_again_have_one_key() -> None:
    alerts = [make_alert(feature=name) for name in ("kind", "heat")]
    first, again = (read_alerts(make_payload(*those), "shop", ()) for those in (alerts, alerts[::-1]))
    assert first[0].key == again[0].key
    assert first[0].key != read_alerts(make_payload(*alerts[:1]), "shop", ())[0].key


@pytest.mark.parametrize(
    ("labels", "reasons"),
    [
        ({"model": "", "instance": INSTANCE}, ["drift"]),
        ({"model": "", "instance": "other:8080"}, []),
        ({"model": ""}, []),
        ({"model": "bikes", "instance": INSTANCE}, []),
    ],
)
def test_an_alert_is_of_the_model_or_the_instance_that_it_names(labels: dict[str, str], reasons: list[str]) -> None:
    found = read_alerts(make_payload(make_alert(**labels)), "shop", {INSTANCE})
    assert [event.reason for event in found] == reasons


def test_nothing_that_fires_decides_nothing(client: httpx.Client) -> None:
    assert client.post("/alertmanager", content=make_payload()).json() == {"decisions": []}
    assert list_records() == []


def test_a_thousand_features_are_a_small_event() -> None:
    payload = make_payload(*(make_alert(feature=f"{'f' * 300}{number}") for number in range(1000)))
    (event,) = read_alerts(payload, "shop", ())
    assert len(event.to_json()) < 65_536
    with pytest.raises(InvalidEvent):
        read_alerts(payload[:-1], "shop", ())


def test_the_alert_of_drift_is_one_of_ours() -> None:
    alerts = yaml.safe_load((ROOT / Path("deploy/monitoring/alerts.yml")).read_text())
    named = {rule["alert"]: rule for group in alerts["groups"] for rule in group["rules"]}
    assert "model" in named["EkibenDataChanged"]["expr"]
    assert REASONS["EkibenDataChanged"] == "drift"
