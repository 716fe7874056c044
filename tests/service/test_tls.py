"""TLS on both ports: real clients, and files that can't be used."""

import json
import ssl
import time
from collections.abc import Iterator
from pathlib import Path

import grpc
import httpx
import pytest

from ekiben.model.package import PackedModel
from ekiben.service.environment import read_settings
from ekiben.service.settings import InvalidSettings
from tests.certificates import Pair, write_pair
from tests.conftest import PATIENCE_S, Server, free_port, run, serve
from tests.http_client import HTTP

HEALTH = "/grpc.health.v1.Health/Check"


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    return write_pair(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def secured(pair: Pair, model: PackedModel, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    files = {"TLS_CERT_FILE": str(pair.certificate), "TLS_KEY_FILE": str(pair.key)}
    with serve(tmp_path_factory.mktemp("secured"), **files) as server:
        yield server


@pytest.mark.slow
def test_http_is_answered_over_tls(secured: Server, pair: Pair, model: PackedModel) -> None:
    assert secured.url.startswith("https://")
    context = ssl.create_default_context(cafile=str(pair.certificate))
    with httpx.Client(verify=context) as client:
        body = json.dumps({"rows": [model.schema.example]})
        answered = client.post(f"{secured.url}/predict", content=body)
    assert answered.status_code == 200


@pytest.mark.slow
def test_grpc_is_answered_over_tls(secured: Server, pair: Pair) -> None:
    credentials = grpc.ssl_channel_credentials(pair.certificate.read_bytes())
    with grpc.secure_channel(secured.grpc, credentials) as channel:
        assert channel.unary_unary(HEALTH)(b"", timeout=PATIENCE_S) == b"\x08\x01"


@pytest.mark.slow
def test_nothing_is_answered_without_tls(secured: Server) -> None:
    with pytest.raises(httpx.TransportError):
        HTTP.get(secured.url.replace("https", "http") + "/livez")
    with grpc.insecure_channel(secured.grpc) as channel, pytest.raises(grpc.RpcError) as rejected:
        channel.unary_unary(HEALTH)(b"", timeout=PATIENCE_S)
    assert rejected.value.code() is grpc.StatusCode.UNAVAILABLE


@pytest.mark.slow
def test_a_client_that_trusts_another_certificate_refuses(secured: Server, tmp_path: Path) -> None:
    other = write_pair(tmp_path)
    with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
        httpx.get(f"{secured.url}/livez", verify=ssl.create_default_context(cafile=str(other.certificate)))


@pytest.mark.slow
def test_the_announced_command_says_https(secured: Server) -> None:
    assert "curl -s https://localhost:" in secured.log.read_text()


@pytest.mark.slow
def test_wrong_files_stop_the_start_in_one_sentence(pair: Pair, model: PackedModel, tmp_path: Path) -> None:
    key = write_pair(tmp_path).key
    files = {"TLS_CERT_FILE": str(pair.certificate), "TLS_KEY_FILE": str(key)}
    rejected = run("-m", "bentoml", "serve", "--port", str(free_port()), fails=True, **files)
    assert "is not the key of the certificate in TLS_CERT_FILE" in rejected.stderr
    assert "Traceback" not in rejected.stderr
    assert "ekiben:1" not in rejected.stderr  # no worker was started


@pytest.mark.slow
def test_the_expiry_is_a_metric(secured: Server) -> None:
    lines = httpx.get(f"{secured.url}/metrics", verify=False).text.splitlines()
    (line,) = [one for one in lines if one.startswith("ekiben_tls_certificate_expiry_timestamp_seconds{")]
    assert 0 < float(line.rpartition(" ")[2]) - time.time() < 3600


def test_an_authority_that_cannot_be_used_is_named(monkeypatch: pytest.MonkeyPatch, pair: Pair, tmp_path: Path) -> None:
    authority = tmp_path / "ca.crt"
    monkeypatch.setenv("TLS_CLIENT_CA_FILE", str(authority))
    said = settings_error(monkeypatch, pair.certificate, pair.key)
    assert said == f"TLS_CLIENT_CA_FILE='{authority}' can't be read: name a PEM file that this user may read"
    authority.write_text("not PEM")
    said = settings_error(monkeypatch, pair.certificate, pair.key)
    assert said == f"TLS_CLIENT_CA_FILE='{authority}' holds no PEM certificate of an authority"
    said = settings_error(monkeypatch, "", "")
    assert said.startswith("TLS_CLIENT_CA_FILE needs TLS_CERT_FILE and TLS_KEY_FILE")


def settings_error(monkeypatch: pytest.MonkeyPatch, certificate: Path | str, key: Path | str) -> str:
    monkeypatch.setenv("TLS_CERT_FILE", str(certificate))
    monkeypatch.setenv("TLS_KEY_FILE", str(key))
    with pytest.raises(InvalidSettings) as rejected:
        read_settings()
    return str(rejected.value)


def test_a_good_pair_is_taken(monkeypatch: pytest.MonkeyPatch, pair: Pair) -> None:
    monkeypatch.setenv("TLS_CERT_FILE", str(pair.certificate))
    monkeypatch.setenv("TLS_KEY_FILE", str(pair.key))
    given = {"enabled": True, "certfile": str(pair.certificate), "keyfile": str(pair.key)}
    assert read_settings().ssl == given


def test_files_that_tls_cannot_use_are_named(monkeypatch: pytest.MonkeyPatch, pair: Pair, tmp_path: Path) -> None:
    other = write_pair(tmp_path / "other").key
    locked = write_pair(tmp_path / "locked", "pass").key
    junk, missing = tmp_path / "junk.pem", tmp_path / "missing.pem"
    junk.write_text("not PEM")
    for certificate, key, sentence in [
        (missing, pair.key, f"TLS_CERT_FILE='{missing}' can't be read"),
        (pair.certificate, missing, f"TLS_KEY_FILE='{missing}' can't be read"),
        (tmp_path, pair.key, f"TLS_CERT_FILE='{tmp_path}' can't be read"),
        (junk, pair.key, f"TLS_CERT_FILE='{junk}' holds no PEM certificate"),
        (pair.key, pair.key, f"TLS_CERT_FILE='{pair.key}' holds no PEM certificate"),
        (pair.certificate, junk, f"TLS_KEY_FILE='{junk}' holds no PEM private key"),
        (pair.certificate, other, f"TLS_KEY_FILE='{other}' is not the key of the certificate"),
    ]:
        assert settings_error(monkeypatch, certificate, key).startswith(sentence)
    locked_certificate = locked.parent / "cert.pem"
    assert "encrypted with a passphrase" in settings_error(monkeypatch, locked_certificate, locked)
    assert "are needed together" in settings_error(monkeypatch, pair.certificate, "")


def test_tls_and_one_port_with_grpcio_do_not_go_together(monkeypatch: pytest.MonkeyPatch, pair: Pair) -> None:
    monkeypatch.setenv("GRPC_SERVER", "grpcio")
    monkeypatch.setenv("GRPC_ON_MAIN_PORT", "1")
    assert "let the platform end TLS" in settings_error(monkeypatch, pair.certificate, pair.key)
