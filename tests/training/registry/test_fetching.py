"""Fetching a registered version as it was packed, and what is said of one that is not."""

import os
from collections.abc import Iterator
from pathlib import Path

import mlflow
import pytest
from mlflow.tracking import MlflowClient

from ekiben.contract.errors import UserError
from ekiben.model.integrity import digest_file
from ekiben.model.package import CHAMPION, GOLDEN_FILE, LITERT_FILE, MANIFEST_FILE, PACKAGE, SCHEMA_FILE, Manifest
from ekiben.model.store import DIGEST_LABEL
from ekiben.training.registry import tracking
from ekiben.training.registry.fetching import fetch_version, find_registered

NAME = "fetched"


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[MlflowClient]:
    """A registry with version 1, the champion, whose package has files of a few bytes."""
    before = mlflow.get_tracking_uri()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    mlflow.set_tracking_uri(os.environ["MLFLOW_TRACKING_URI"])
    client = MlflowClient()
    run = client.create_run(client.create_experiment(NAME, (tmp_path / "artifacts").as_uri())).info.run_id
    folder = tmp_path / "package"
    folder.mkdir()
    for name in (SCHEMA_FILE, GOLDEN_FILE, LITERT_FILE):
        (folder / name).write_text("{}")
    files = {path.name: digest_file(path) for path in folder.iterdir()}
    manifest = Manifest(name=NAME, version="1", run_id=run, engine="litert", files=files)
    (folder / MANIFEST_FILE).write_text(manifest.model_dump_json())
    client.log_artifacts(run, str(folder), PACKAGE)
    client.create_registered_model(NAME)
    client.create_model_version(
        NAME, f"runs:/{run}/{PACKAGE}", run, {DIGEST_LABEL: digest_file(folder / MANIFEST_FILE)}
    )
    client.set_registered_model_alias(NAME, CHAMPION, "1")
    yield client
    mlflow.set_tracking_uri(before)


def test_an_alias_and_a_number_name_the_same_version(client: MlflowClient) -> None:
    assert find_registered(NAME, alias=CHAMPION).run_id == find_registered(NAME, version="1").run_id


@pytest.mark.parametrize(
    ("name", "alias", "version", "sentence"),
    [
        ("absent", CHAMPION, "", "the registry has no model absent: train it first with `ekiben train`"),
        (NAME, "spare", "", f"the registry has no alias spare of {NAME}: it has champion"),
        (NAME, "", "2", f"the registry has no version 2 of {NAME}: it has 1"),
    ],
)
def test_what_the_registry_has_not_is_one_sentence(
    client: MlflowClient, name: str, alias: str, version: str, sentence: str
) -> None:
    with pytest.raises(UserError, match=f"^{sentence}$"):
        find_registered(name, alias, version)


def test_a_model_without_an_alias_says_who_sets_one(client: MlflowClient) -> None:
    client.delete_registered_model_alias(NAME, CHAMPION)
    with pytest.raises(UserError, match="no alias champion of fetched: it has none: `ekiben promote` sets `champion`"):
        find_registered(NAME, alias=CHAMPION)


@pytest.mark.parametrize("file", [LITERT_FILE, MANIFEST_FILE])
def test_a_changed_file_is_not_fetched(client: MlflowClient, tmp_path: Path, file: str) -> None:
    (found,) = (tmp_path / "artifacts").rglob(file)
    found.write_text(found.read_text() + " ")
    sentence = f"^version 1 of {NAME} is damaged in the registry: {file} is not the file that was packed: promote or "
    with pytest.raises(UserError, match=sentence):
        fetch_version(tracking.get_version(NAME, "1"))


def test_a_version_without_a_digest_is_not_believed(client: MlflowClient) -> None:
    client.delete_model_version_tag(NAME, "1", DIGEST_LABEL)
    with pytest.raises(UserError, match="registered before its manifest's digest was: `ekiben promote 1` once"):
        fetch_version(tracking.get_version(NAME, "1"))
