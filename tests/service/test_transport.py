"""What all protocols share on the wire: one port for both planes, the token, TLS, and probes while stopping."""

import os
import signal
import ssl
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import grpc
import httpx
import numpy as np
import pytest
import tritonclient.grpc as triton_grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from ekiben.model.package import PackedModel
from ekiben.service.settings import InvalidSettings, find_port_variable, read_settings
from tests.callers import predict, triton_grpc_raw
from tests.conftest import NAME, ROOT, Server, free_port, serve, wait_until

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
def test_one_port_answers_both(model: PackedModel, tmp_path: Path) -> None:
    rows = [dict(model.schema.example)] * 3
    with serve(tmp_path, GRPC_ON_MAIN_PORT="1") as server:
        wanted = predict(server, model.schema, rows)
        shared = Server(server.url, server.url.removeprefix("http://"), server.process, server.log)
        assert triton_grpc_raw(shared, model.schema, rows) == wanted
        assert triton_grpc_raw(server, model.schema, rows) == wanted  # its own port answers too
        with triton_grpc.InferenceServerClient(shared.grpc) as client:
            big = triton_grpc.InferInput("x", [300_000, 1], "FP32")
            big.set_data_from_numpy(np.zeros((300_000, 1), np.float32))
            with pytest.raises(Exception, match="300000 rows are more than"):
                client.infer(NAME, [big])


@pytest.mark.slow
def test_the_token_is_asked_for_except_by_probes(model: PackedModel, tmp_path: Path) -> None:
    body: Any = {"rows": [model.schema.example]}
    right = {"authorization": f"Bearer {TOKEN}"}
    with serve(tmp_path, AUTH_TOKEN=TOKEN) as server:
        for path in ("/livez", "/readyz", "/ping", "/v2/health/ready", f"/v1/models/{NAME}"):
            assert httpx.get(server.url + path).status_code == 200
        for path in ("/v2", "/docs.json", "/metrics", "/nothing"):
            rejected = httpx.get(server.url + path)
            assert (rejected.status_code, rejected.headers["www-authenticate"]) == (401, "Bearer")
        assert "is missing" in httpx.post(f"{server.url}/predict", json=body).json()["error"]
        wrong = {"authorization": "Bearer other"}
        assert "is wrong" in httpx.post(f"{server.url}/predict", json=body, headers=wrong).json()["error"]
        assert httpx.post(f"{server.url}/predict", json=body, headers=right).status_code == 200
        with triton_grpc.InferenceServerClient(server.grpc) as client:
            assert client.is_server_ready()
            with pytest.raises(Exception, match="bearer token"):
                client.get_model_metadata(NAME)
            assert client.get_model_metadata(NAME, headers=right).name == NAME
        assert TOKEN not in server.log.read_text()


@pytest.mark.slow
def test_both_planes_speak_tls(model: PackedModel, tmp_path: Path) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", certificate,
         "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"],
        check=True, capture_output=True,
    )  # fmt: skip
    port, grpc_port = free_port(), free_port()
    settings = {"TLS_KEY_FILE": str(key), "TLS_CERT_FILE": str(certificate), "GRPC_PORT": str(grpc_port)}
    context = ssl.create_default_context(cafile=str(certificate))
    body = {"rows": [model.schema.example]}

    def answers() -> bool:
        try:
            return httpx.post(f"https://127.0.0.1:{port}/predict", json=body, verify=context).status_code == 200
        except httpx.TransportError:
            return False

    with (tmp_path / "server.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "bentoml", "serve", "--port", str(port)],
            cwd=ROOT, env=os.environ | settings, stdout=log, stderr=subprocess.STDOUT,
        )  # fmt: skip
    try:
        wait_until(answers, 60)
        credentials = grpc.ssl_channel_credentials(certificate.read_bytes())
        with grpc.secure_channel(f"127.0.0.1:{grpc_port}", credentials) as channel:
            stub = health_pb2_grpc.HealthStub(channel)
            assert stub.Check(health_pb2.HealthCheckRequest(), timeout=10).status == 1
    finally:
        process.terminate()
        process.wait(timeout=30)


@pytest.mark.slow
def test_probes_say_not_ready_while_calls_are_answered(model: PackedModel, tmp_path: Path) -> None:
    rows = [dict(model.schema.example)]
    with serve(tmp_path, DRAIN_DELAY_S="4") as server, grpc.insecure_channel(server.grpc) as channel:
        stub = health_pb2_grpc.HealthStub(channel)

        def status(name: str) -> int:
            return int(stub.Check(health_pb2.HealthCheckRequest(service=name)).status)

        assert (status(""), status("liveness")) == (1, 1)
        server.process.send_signal(signal.SIGTERM)
        started = time.monotonic()
        wait_until(lambda: status("") == 2, 3)
        assert (status("readiness"), status("inference.GRPCInferenceService"), status("liveness")) == (2, 2, 1)
        for path in ("/ping", "/v2/health/ready", f"/v2/models/{NAME}/ready", f"/v1/models/{NAME}", "/readyz"):
            assert httpx.get(server.url + path).status_code == 503
        for path in ("/livez", "/v2/health/live"):
            assert httpx.get(server.url + path).status_code == 200
        assert triton_grpc_raw(server, model.schema, rows) == predict(server, model.schema, rows)
        assert server.process.wait(timeout=12) == 0
        assert time.monotonic() - started < 9.5
    assert "Traceback" not in server.log.read_text()
