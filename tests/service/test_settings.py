"""Settings as the environment gives them: which port counts, and what is rejected with which words."""

import re
from pathlib import Path

import pytest

from ekiben.contract.errors import UserError
from ekiben.service.environment import find_port_variable, read_settings
from ekiben.service.grpc.opening import check_grpcio
from ekiben.service.settings import InvalidSettings, Settings


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AIP_MODE", "AIP_HTTP_PORT", "SAGEMAKER_BIND_TO_PORT", "PORT", "GRPC_PORT", "AUTH_TOKEN"):
        monkeypatch.delenv(name, raising=False)


PORTS = {"AIP_HTTP_PORT": "1", "SAGEMAKER_BIND_TO_PORT": "2", "PORT": "3"}


@pytest.mark.parametrize(
    ("environment", "name", "port"),
    [
        ({}, "", 8080),
        ({"PORT": ""}, "", 8080),
        ({"PORT": "3"}, "PORT", 3),
        ({"SAGEMAKER_BIND_TO_PORT": "2", "PORT": "3"}, "SAGEMAKER_BIND_TO_PORT", 2),
        (PORTS, "SAGEMAKER_BIND_TO_PORT", 2),  # AIP_HTTP_PORT counts on Vertex AI only
        (PORTS | {"AIP_MODE": ""}, "SAGEMAKER_BIND_TO_PORT", 2),
        (PORTS | {"AIP_MODE": "PREDICTION"}, "AIP_HTTP_PORT", 1),
        ({"AIP_MODE": "PREDICTION", "PORT": "3"}, "PORT", 3),
        ({"AIP_MODE": "PREDICTION"}, "", 8080),
    ],
)
def test_the_platforms_port_counts(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], name: str, port: int
) -> None:
    for variable, value in environment.items():
        monkeypatch.setenv(variable, value)
    assert find_port_variable(environment) == name
    assert read_settings().port == port


@pytest.mark.parametrize("name", list(PORTS))
@pytest.mark.parametrize("value", ["eighty", "0", "65536", "-1", "80.5"])
def test_a_wrong_port_is_rejected_by_the_name_it_came_under(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv("AIP_MODE", "PREDICTION")
    monkeypatch.setenv(name, value)
    with pytest.raises(InvalidSettings, match=f"^{name}={re.escape(repr(value))}: "):
        read_settings()


def test_a_wrong_grpc_port_is_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRPC_PORT", "zero")
    with pytest.raises(InvalidSettings, match=r"^GRPC_PORT='zero': "):
        read_settings()


@pytest.mark.parametrize("token", ["s3cret value", "s3cret\n", " s3cret", "s3crét", "s3cret\x7f", " "])
def test_a_token_no_header_can_carry_is_rejected_and_not_shown(monkeypatch: pytest.MonkeyPatch, token: str) -> None:
    monkeypatch.setenv("AUTH_TOKEN", token)
    with pytest.raises(InvalidSettings) as rejected:
        read_settings()
    assert (
        str(rejected.value) == "AUTH_TOKEN holds a space, a line break or what is not ASCII: no header can carry that"
    )
    assert rejected.value.__suppress_context__  # pydantic's own error shows what it was given


def test_settings_do_not_show_the_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTH_TOKEN", "s3cret")
    settings = read_settings()
    assert settings.auth_token.get_secret_value() == "s3cret"
    assert "s3cret" not in f"{settings!r} {settings} {settings.model_dump()} {settings.model_dump_json()}"


def test_an_error_elsewhere_does_not_show_the_token(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AUTH_TOKEN", "s3cret")
    monkeypatch.setenv("TLS_CERT_FILE", str(tmp_path))
    with pytest.raises(InvalidSettings) as rejected:
        read_settings()
    assert str(rejected.value) == "TLS_CERT_FILE and TLS_KEY_FILE are needed together"


def test_the_default_deadline_is_one_that_a_caller_may_ask_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUEST_TIMEOUT_S", "90")
    with pytest.raises(InvalidSettings, match=r"^REQUEST_TIMEOUT_S=90 must be at most MAX_TIMEOUT_S=60$"):
        read_settings()
    monkeypatch.setenv("MAX_TIMEOUT_S", "90")
    assert read_settings().max_timeout_s == 90


def test_grpcio_is_asked_for_only_if_it_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    check_grpcio(Settings(grpc_server="grpcio"))
    monkeypatch.setattr("ekiben.service.grpc.opening.find_spec", lambda name: None)
    check_grpcio(Settings())
    with pytest.raises(
        UserError, match=r"^GRPC_SERVER=grpcio: grpcio is not installed: `pip install 'ekiben\[grpcio\]'`"
    ):
        check_grpcio(Settings(grpc_server="grpcio"))
