"""How a registry is named, and how it lets us in: by the variables of MLflow's own client."""

from pathlib import Path

import pytest

from ekiben.service.environment import read_settings
from ekiben.service.settings import InvalidSettings
from ekiben.service.sources.access import read_access
from ekiben.service.sources.address import ModelSource, parse_source

URI = "MLFLOW_TRACKING_URI"
LOGIN = {"MLFLOW_TRACKING_USERNAME": "user", "MLFLOW_TRACKING_PASSWORD": "p@ss"}


def test_a_source_names_a_model_and_an_alias(monkeypatch: pytest.MonkeyPatch) -> None:
    assert parse_source("models:/flight_delay@champion") == ModelSource("flight_delay", "champion")
    assert str(ModelSource("flight_delay", "champion")) == "models:/flight_delay@champion"
    monkeypatch.setenv("MODEL_SOURCE", "models:/a@b")
    monkeypatch.setenv("REGISTRY_POLL_S", "5")
    settings = read_settings()
    assert (settings.model_source, settings.registry_poll_s) == ("models:/a@b", 5)


@pytest.mark.parametrize(
    "text", ["flight_delay", "models:/a", "models:/a/3", "models:/a@", "models:/../b@c", "models:/a@b@c"]
)
def test_another_source_is_rejected(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODEL_SOURCE", text)
    with pytest.raises(InvalidSettings, match=r"MODEL_SOURCE='.*': expected models:/NAME@ALIAS"):
        read_settings()


@pytest.mark.parametrize(
    ("environment", "url", "authorization"),
    [
        ({URI: "http://h:5000/"}, "http://h:5000", ""),
        ({URI: "https://h/mlflow"}, "https://h/mlflow", ""),
        ({URI: "http://h", "MLFLOW_REGISTRY_URI": "http://r"}, "http://r", ""),
        ({URI: "http://h", "MLFLOW_TRACKING_TOKEN": "t"}, "http://h", "Bearer t"),
        ({URI: "http://h", **LOGIN, "MLFLOW_TRACKING_TOKEN": "t"}, "http://h", "Basic dXNlcjpwQHNz"),
        ({URI: "http://user:p%40ss@h:1"}, "http://h:1", "Basic dXNlcjpwQHNz"),
    ],
)  # fmt: skip
def test_the_server_and_the_login(environment: dict[str, str], url: str, authorization: str) -> None:
    access = read_access(environment)
    assert (access.url, access.headers.get("Authorization", "")) == (url, authorization)
    assert "cGFzcw" not in repr(access)
    assert "Basic" not in repr(access)


@pytest.mark.parametrize("uri", ["", "sqlite:///mlflow.db", "http://", "http://h:0", "http://user:s3cret@h:x", "//h"])
def test_what_is_no_server_is_rejected_and_not_shown(uri: str) -> None:
    with pytest.raises(InvalidSettings, match="MODEL_SOURCE needs an MLflow server: set MLFLOW_TRACKING_URI") as caught:
        read_access({URI: uri})
    assert "s3cret" not in str(caught.value)


def test_a_token_no_header_can_carry_is_rejected_and_not_shown() -> None:
    with pytest.raises(InvalidSettings, match="MLFLOW_TRACKING_TOKEN holds a space") as caught:
        read_access({URI: "http://h", "MLFLOW_TRACKING_TOKEN": "s3cret\n"})
    assert "s3cret" not in str(caught.value)


def test_tls_is_mlflows(tmp_path: Path) -> None:
    assert read_access({URI: "https://h"}).verify is True
    assert read_access({URI: "https://h", "MLFLOW_TRACKING_INSECURE_TLS": "true"}).verify is False
    with pytest.raises(InvalidSettings, match=r"MLFLOW_TRACKING_SERVER_CERT_PATH='.*' can't be read"):
        read_access({URI: "https://h", "MLFLOW_TRACKING_SERVER_CERT_PATH": str(tmp_path / "none.pem")})
