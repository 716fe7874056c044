"""A real service that logs in JSON: every line is an object, from its start to its end, whoever calls it."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import grpc
import httpx
import pytest

from ekiben.model.package import PackedModel
from ekiben.service.protos import message
from tests.conftest import ALONE, PATIENCE_S, ROOT, SUPERVISED, Server, serve, wait_until
from tests.service.tracing.collector import Collector, collect, read_attributes

pytestmark = pytest.mark.slow
SECRET = "Kowalski, 52, diabetic"
TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
TRACEPARENT = f"00-{TRACE}-{PARENT}-01"
INFER = "/inference.GRPCInferenceService/ModelInfer"


def read_lines(path: Path) -> list[dict[str, Any]]:
    """Return what the lines of a log hold, every one of which must be an object with the fields that all have."""
    lines = [json.loads(line) for line in path.read_bytes().splitlines()]
    assert all({"time", "level", "logger", "message"} <= line.keys() for line in lines)
    return lines


@dataclass
class Run:
    """What a service logged and exported until it had ended."""

    lines: list[dict[str, Any]]
    text: str
    collector: Collector
    example: dict[str, Any]

    def about(self, request_id: str) -> list[dict[str, Any]]:
        return [line for line in self.lines if line.get("request_id") == request_id]


@pytest.fixture(scope="module", params=[SUPERVISED, ALONE], ids=["supervised", "alone"])
def run(request: pytest.FixtureRequest, model: PackedModel, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    variables = {"LOG_FORMAT": "json", "ACCESS_LOG_SAMPLE": "1", "AUTH_TOKEN": "hunter2hunter2"}
    with collect() as collector:
        exported = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.address, "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}
        exported["OTEL_SERVICE_NAME"] = "delays"
        with serve(tmp_path_factory.mktemp("json"), request.param, **variables, **exported) as server:
            ask(server, model)
            server.process.terminate()
            assert server.process.wait(timeout=PATIENCE_S) == 0
        yield Run(read_lines(server.log), server.log.read_text(), collector, dict(model.schema.example))


def ask(server: Server, model: PackedModel) -> None:
    """Ask as callers do, and as those do who would forge a line."""
    token = {"authorization": "Bearer hunter2hunter2"}
    good, wrong = [dict(model.schema.example)], [dict(model.schema.example) | {"distance": SECRET}]
    with httpx.Client(base_url=server.url, headers=token, trust_env=False, timeout=PATIENCE_S) as client:
        named = {"x-request-id": "good", "traceparent": TRACEPARENT}
        assert client.post("/predict", json={"rows": good}, headers=named).status_code == 200
        assert client.post("/predict", json={"rows": wrong}, headers={"x-request-id": "wrong"}).status_code == 400
        assert client.get("/v2/models/nobody%0a%7b%22level%22:1%7d").status_code == 404
        assert client.get("/v2", headers={"authorization": "Bearer 1"}).status_code == 401
    address = urlsplit(server.url)
    for value in (b'"}\x85{"forged":1}', b"\xff\xfe\xed\xa0\x80", b"\x1b[31m", b"x" * 9000):
        with socket.create_connection((address.hostname or "", address.port or 0)) as raw:
            head = b"GET /v2/models/%s HTTP/1.1\r\nhost: x\r\nconnection: close\r\n" % value.replace(b" ", b"")
            raw.sendall(head + b"authorization: Bearer hunter2hunter2\r\nx-request-id: %s\r\n\r\n" % value)
            raw.recv(100)
    metadata = (("authorization", "Bearer hunter2hunter2"), ("x-request-id", "over-grpc"), ("traceparent", TRACEPARENT))
    request = message("inference.ModelInferRequest")
    with grpc.insecure_channel(server.grpc) as channel:
        call = channel.unary_unary(INFER, request.SerializeToString, message("inference.ModelInferResponse").FromString)
        with pytest.raises(grpc.RpcError):
            call(request(model_name=model.name), metadata=metadata, timeout=PATIENCE_S)


def test_a_request_has_a_line_with_all_that_is_known(run: Run) -> None:
    (line,) = run.about("good")
    assert line["message"] == "POST /predict 200"
    assert (line["protocol"], line["status"], line["rows"], line["model"]) == ("predict", 200, 1, "flight_delay")
    assert line["trace_id"] == TRACE
    assert line["span_id"] != PARENT
    assert line["version"]
    assert line["duration_ms"] > 0


def test_a_call_over_grpc_has_one_too(run: Run) -> None:
    (line,) = run.about("over-grpc")
    assert (line["method"], line["path"], line["status"], line["grpc_status"]) == (
        "gRPC", INFER, 400, "INVALID_ARGUMENT"
    )  # fmt: skip


def test_no_row_and_no_token_is_in_the_log(run: Run) -> None:
    assert run.about("wrong")[0]["status"] == 400
    assert SECRET not in run.text
    assert "hunter2" not in run.text
    assert json.dumps(run.example["scheduled_departure"]) not in run.text.replace("\\", "")


def test_nobody_forges_a_line(run: Run) -> None:
    assert not [line for line in run.lines if "forged" in line or line["level"] == 1]
    assert [line["status"] for line in run.lines if "nobody%0a" in line.get("path", "")] == [404]


def test_the_end_is_said_with_what_was_left(run: Run) -> None:
    (asked,) = [line for line in run.lines if "waiting_rows" in line]
    assert asked["message"].startswith("SIGTERM: answering for 0 s more, ")
    (end,) = [line for line in run.lines if "lost_requests" in line]
    assert (end["lost_requests"], end["message"].startswith("stopped after ")) == (0, True)


def test_a_collector_gets_a_requests_spans(run: Run) -> None:
    assert run.collector.resource["service.name"] == "delays"
    (span,) = [one for one in run.collector.named("POST /predict") if one.trace_id.hex() == TRACE]
    assert span.parent_span_id.hex() == PARENT
    assert read_attributes(span)["http.response.status_code"] == 200
    for name in ("encode", "queue", "engine"):
        (part,) = [one for one in run.collector.named(name) if one.trace_id.hex() == TRACE]
        assert part.parent_span_id == span.span_id
        assert span.start_time_unix_nano <= part.end_time_unix_nano <= span.end_time_unix_nano
    (engine,) = [one for one in run.collector.named("engine") if one.trace_id.hex() == TRACE]
    assert [link.span_id for link in engine.links] == [span.span_id]
    (call,) = run.collector.named(INFER.strip("/"))
    assert (call.trace_id.hex(), read_attributes(call)["rpc.grpc.status_code"]) == (TRACE, 3)


def test_a_collector_gets_the_series(run: Run) -> None:
    counted = run.collector.metrics["ekiben_inference_requests"].sum
    assert sum(int(point.as_double) for point in counted.data_points) > 0
    assert counted.is_monotonic


@pytest.mark.usefixtures("model")
@pytest.mark.parametrize(
    ("variables", "reason"),
    [
        ({"LOG_LEVEL": "loud"}, "LOG_LEVEL='loud'"),
        ({"MODEL_DIGEST": "0" * 64}, "digest"),
        ({"TLS_CERT_FILE": "absent.pem", "TLS_KEY_FILE": "absent.pem"}, "absent.pem"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "x", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/json"}, "http/json"),
    ],
    ids=["setting", "model", "tls", "otel"],
)
def test_what_keeps_it_from_starting_is_one_object(variables: dict[str, str], reason: str) -> None:
    check_start(variables, reason)


@pytest.mark.usefixtures("model")
def test_a_port_that_is_taken_is_one_object() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        check_start({"PORT": str(taken.getsockname()[1])}, str(taken.getsockname()[1]))


def check_start(variables: dict[str, str], reason: str) -> None:
    given = os.environ | {"LOG_FORMAT": "json", "GRPC_PORT": "1"} | variables
    command = [sys.executable, "-m", "ekiben.service"]
    done = subprocess.run(command, cwd=ROOT, env=given, capture_output=True, timeout=PATIENCE_S, check=False)
    assert done.returncode != 0
    assert done.stderr == b""
    errors = [line for line in map(json.loads, done.stdout.splitlines()) if line["level"] == "error"]
    assert len(errors) == 1
    assert reason in errors[0]["message"]


def test_a_collector_that_is_down_keeps_nobody(model: PackedModel, tmp_path: Path) -> None:
    variables = {"LOG_FORMAT": "json", "WORKERS": "2", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}
    with serve(tmp_path, **variables, OTEL_BSP_SCHEDULE_DELAY="50") as server, httpx.Client(trust_env=False) as client:
        body = {"rows": [dict(model.schema.example)]}
        for _ in range(20):
            assert client.post(f"{server.url}/predict", json=body).status_code == 200
        wait_until(lambda: "export" in server.log.read_text(), server.log.read_text)
        os.kill(server.process.pid, signal.SIGTERM)
        assert server.process.wait(timeout=PATIENCE_S) == 0
    told = [line for line in read_lines(server.log) if "opentelemetry" in line["logger"]]
    assert len(told) <= 2  # once for each worker
