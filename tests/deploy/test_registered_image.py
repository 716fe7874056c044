"""`ekiben image --model models:/NAME@ALIAS`: the registry's version becomes the image, whatever the store has."""

from pathlib import Path

import pytest

from ekiben.deploy.image.registered import InvalidAddress, parse_address
from ekiben.model.package import PackedModel
from tests.conftest import NAME
from tests.deploy.containers import build

RECORDED = '#!/bin/sh\nfor one in "$@"; do echo "$one" >>"$0.log"; done\n'


@pytest.fixture
def builder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A podman that builds nothing and notes what it was asked; the file of those notes."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "podman").write_text(RECORDED)
    (folder / "podman").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return folder / "podman.log"


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("models:/flight_delay@champion", ("flight_delay", "champion", "")),
        ("models:/flight_delay@blue-2", ("flight_delay", "blue-2", "")),
        ("models:/flight_delay/12", ("flight_delay", "", "12")),
    ],
)
def test_an_address_names_an_alias_or_a_version(text: str, parts: tuple[str, str, str]) -> None:
    assert parse_address(text) == parts


@pytest.mark.parametrize("text", ["models:/", "models:/a", "models:/a@", "models:/a/champion", "models:/../b@c"])
def test_any_other_address_is_one_sentence(text: str) -> None:
    with pytest.raises(InvalidAddress, match=r"^--model models:/.*: a version of the registry is models:/NAME@ALIAS"):
        parse_address(text)


@pytest.mark.slow
def test_the_champion_is_built_without_a_store(model: PackedModel, builder: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    options = ("--backend", "podman", "--model")
    printed = build(*options, f"models:/{NAME}@champion", BENTOML_HOME=str(store)).stdout
    assert f"fetching version {model.version} of {NAME} from the registry" in printed
    assert f"building {NAME}:{model.version} of {NAME} version {model.version} with podman" in printed
    asked = builder.read_text().splitlines()
    assert f"MODEL_DIGEST={model.digest}" in asked
    assert f"ekiben.run-id={model.manifest.run_id}" in asked
    assert not store.exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("address", "environment", "sentence"),
    [
        (f"models:/{NAME}@spare", {}, f"the registry has no alias spare of {NAME}: it has "),
        (f"models:/{NAME}", {}, f"--model models:/{NAME}: a version of the registry is models:/NAME@ALIAS or"),
        (
            f"models:/{NAME}/1",
            {"MLFLOW_TRACKING_URI": "http://127.0.0.1:1"},
            "the MLflow store http://127.0.0.1:1 can't be used: ",
        ),
    ],
)
def test_what_can_not_be_fetched_ends_with_one_sentence(
    model: PackedModel, builder: Path, address: str, environment: dict[str, str], sentence: str
) -> None:
    failed = build("--backend", "podman", "--model", address, fails=True, **environment)
    assert failed.returncode == 2
    assert failed.stderr.startswith(f"error: {sentence}")
    assert len(failed.stderr.splitlines()) == 1
    assert builder.read_text() == "version\n"  # nothing was built
