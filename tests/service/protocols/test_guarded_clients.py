"""Clients that speak HTTP/2 over TLS, with a token, to both ports of one process; and h2load, which loses nothing."""

import json
import re
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
import tritonclient.grpc as triton_grpc
from google.protobuf.json_format import MessageToJson, ParseDict

from ekiben.model.package import PackedModel
from ekiben.service.protos import message
from tests.callers import (
    MODEL_INFER,
    Answer,
    Rows,
    curl,
    from_records,
    from_triton,
    from_typed,
    triton_inputs,
    typed_request,
)
from tests.certificates import Pair, write_pair
from tests.conftest import ALONE, NAME, PATIENCE_S, ROOT, Server, serve

pytestmark = pytest.mark.slow

TOKEN = "s3cret-t0ken"
GUARD = ("authorization", f"Bearer {TOKEN}")
Response = message("inference.ModelInferResponse")


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    return write_pair(tmp_path_factory.mktemp("pair"))


@pytest.fixture(scope="module")
def guarded(model: PackedModel, pair: Pair, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    files = {"TLS_CERT_FILE": str(pair.certificate), "TLS_KEY_FILE": str(pair.key)}
    with serve(tmp_path_factory.mktemp("guarded"), ALONE, AUTH_TOKEN=TOKEN, **files) as server:
        yield server


@pytest.fixture
def client(pair: Pair) -> Iterator[httpx.Client]:
    context = ssl.create_default_context(cafile=str(pair.certificate))
    with httpx.Client(verify=context, http2=True, headers=dict([GUARD]), timeout=PATIENCE_S) as opened:
        yield opened


@pytest.fixture
def rows(model: PackedModel) -> Rows:
    return [dict(model.schema.example)] * 3


@pytest.fixture
def wanted(guarded: Server, client: httpx.Client, rows: Rows) -> Answer:
    answered = client.post(f"{guarded.url}/predict", json={"rows": rows})
    assert (answered.http_version, answered.status_code) == ("HTTP/2", 200)
    return from_records(answered.json()["predictions"])


def test_curl_over_tls(guarded: Server, pair: Pair, rows: Rows, wanted: Answer) -> None:
    options = ("--cacert", str(pair.certificate), "--header", ": ".join(GUARD))
    assert from_records(curl(f"{guarded.url}/predict", {"rows": rows}, *options)["predictions"]) == wanted


@pytest.mark.parametrize("main_port", [False, True])
def test_grpcio_over_tls(
    guarded: Server, pair: Pair, model: PackedModel, rows: Rows, wanted: Answer, main_port: bool
) -> None:
    credentials = grpc.ssl_channel_credentials(pair.certificate.read_bytes())
    address = guarded.url.removeprefix("https://") if main_port else guarded.grpc
    with grpc.secure_channel(address, credentials) as channel:
        ask = channel.unary_unary(f"/{MODEL_INFER}", lambda one: one.SerializeToString(), Response.FromString)
        request = typed_request(model.schema, rows)
        assert from_typed(ask(request, metadata=[GUARD], timeout=PATIENCE_S)) == wanted
        with pytest.raises(grpc.RpcError) as rejected:
            ask(request, timeout=PATIENCE_S)
        assert rejected.value.code() is grpc.StatusCode.UNAUTHENTICATED


def test_triton_over_tls(guarded: Server, pair: Pair, model: PackedModel, rows: Rows, wanted: Answer) -> None:
    tls: dict[str, Any] = {"ssl": True, "root_certificates": str(pair.certificate)}
    with triton_grpc.InferenceServerClient(guarded.grpc, **tls) as client:
        answered = client.infer(NAME, triton_inputs(triton_grpc, model.schema, rows), headers=dict([GUARD]))
    assert from_triton(answered) == wanted


def test_connect_and_grpc_web_over_http2(
    guarded: Server, client: httpx.Client, model: PackedModel, rows: Rows, wanted: Answer
) -> None:
    request = typed_request(model.schema, rows)
    url, whole = f"{guarded.url}/{MODEL_INFER}", request.SerializeToString()
    asked = client.post(url, content=MessageToJson(request), headers={"content-type": "application/json"})
    assert from_typed(ParseDict(asked.json(), Response())) == wanted
    asked = client.post(url, content=whole, headers={"content-type": "application/proto"})
    assert from_typed(Response.FromString(asked.content)) == wanted
    frame = b"\0" + len(whole).to_bytes(4, "big") + whole
    body = client.post(url, content=frame, headers={"content-type": "application/grpc-web+proto"}).content
    size = int.from_bytes(body[1:5], "big")
    assert from_typed(Response.FromString(body[5 : 5 + size])) == wanted
    assert b"grpc-status: 0\r\n" in body[5 + size :]


@pytest.mark.parametrize(("connections", "streams"), [(8, 16), (1, 100)])
def test_h2load_counts_no_failure(
    guarded: Server, model: PackedModel, tmp_path: Path, connections: int, streams: int
) -> None:
    body = tmp_path / "rows.json"
    body.write_text(json.dumps({"rows": [model.schema.example]}))
    load = ["--requests=2000", f"--clients={connections}", f"--max-concurrent-streams={streams}", f"--data={body}"]
    headers = [f"--header={': '.join(GUARD)}", "--header=content-type: application/json"]
    said = subprocess.run(
        ["h2load", *load, *headers, f"{guarded.url}/predict"], check=True, capture_output=True, text=True,
        timeout=PATIENCE_S,
    ).stdout  # fmt: skip
    assert "Application protocol: h2\n" in said
    assert "2000 succeeded, 0 failed, 0 errored, 0 timeout" in said, said
    assert re.search(r"status codes: 2000 2xx, 0 3xx, 0 4xx, 0 5xx", said), said


def test_the_docs_say_which_were_run_over_tls() -> None:
    docs = (ROOT / "docs" / "protocols.md").read_text()
    assert "tests/service/protocols/test_guarded_clients.py" in docs
    for client in ("curl", "grpcio", "tritonclient.grpc", "h2load"):
        assert f"| {client}, TLS and a token |" in docs
