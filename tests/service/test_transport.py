"""What all protocols share on the wire: the port, the token, and probes while stopping."""

import signal
import time
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from ekiben.model.package import PackedModel
from ekiben.service.environment import find_port_variable, read_settings
from ekiben.service.settings import InvalidSettings
from tests.callers import predict, triton_grpc_raw
from tests.conftest import NAME, serve, wait_until
from tests.http_client import HTTP

TOKEN = "a-secret-of-1"


@pytest.mark.parametrize(
    ("environment", "variable"),
    [
        ({}, ""),
        ({"PORT": "1"}, "PORT"),
        ({"PORT": "1", "SAGEMAKER_BIND_TO_PORT": "2"}, "SAGEMAKER_BIND_TO_PORT"),
        ({"PORT": "1", "AIP_HTTP_PORT": "3"}, "PORT"),
        ({"PORT": "1", "AIP_HTTP_PORT": "3", "AIP_MODE": "PREDICTION"}, "AIP_HTTP_PORT"),
    ],
)
def test_platforms_name_the_port_in_order(environment: dict[str, str], variable: str) -> None:
    assert find_port_variable(environment) == variable


def test_a_wrong_port_is_named_as_the_platform_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAGEMAKER_BIND_TO_PORT", "http")
    with pytest.raises(InvalidSettings, match="SAGEMAKER_BIND_TO_PORT='http'"):
        read_settings()


def test_a_token_is_in_no_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTH_TOKEN", TOKEN)
    assert TOKEN not in repr(read_settings())


@pytest.mark.slow
def test_probes_say_not_ready_while_calls_are_answered(model: PackedModel, tmp_path: Path) -> None:
    rows = [dict(model.schema.example)]
    with serve(tmp_path, DRAIN_DELAY_S="2") as server, grpc.insecure_channel(server.grpc) as channel:
        stub = health_pb2_grpc.HealthStub(channel)

        def status(name: str) -> int:
            return int(stub.Check(health_pb2.HealthCheckRequest(service=name)).status)

        assert (status(""), status("liveness")) == (1, 1)
        server.process.send_signal(signal.SIGTERM)
        started = time.monotonic()
        wait_until(lambda: status("") == 2)
        assert (status("readiness"), status("inference.GRPCInferenceService"), status("liveness")) == (2, 2, 1)
        for path in ("/ping", "/v2/health/ready", f"/v2/models/{NAME}/ready", f"/v1/models/{NAME}", "/readyz"):
            assert HTTP.get(server.url + path).status_code == 503
        for path in ("/livez", "/v2/health/live"):
            assert HTTP.get(server.url + path).status_code == 200
        assert triton_grpc_raw(server, model.schema, rows) == predict(server, model.schema, rows)
        assert server.process.wait(timeout=12) == 0
        assert time.monotonic() - started < 9.5
    assert "Traceback" not in server.log.read_text()
