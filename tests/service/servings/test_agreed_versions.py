"""A worker comes up with what the service has agreed on, from the first one on."""

import logging
from pathlib import Path
from typing import Any

import pytest

from ekiben.contract.errors import InvalidModel
from ekiben.model.package import PackedModel
from ekiben.service.servings import agreed_versions as module
from ekiben.service.servings.agreed_versions import AgreedVersions, open_served
from ekiben.service.settings import Settings
from tests.doubling import MANIFEST, SCHEMA

NOTHING: Any = None
STORE_HAS: Any = "the newest of the store"


def make(name: str, version: str) -> PackedModel:
    schema = SCHEMA.model_copy(update={"name": name})
    return PackedModel(NOTHING, schema, MANIFEST.model_copy(update={"version": version}))


@pytest.fixture(autouse=True)
def _store(monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that has versions 1 to 3, of which the newest is the last."""

    def find(name: str, version: str) -> tuple[str, str]:
        if version not in "123":
            raise InvalidModel(f"there is no version {version} of `{name}`")
        return name, version

    monkeypatch.setattr(module, "find_model", find)
    monkeypatch.setattr(module, "open_stored", lambda stored: stored)
    monkeypatch.setattr(module, "open_models", lambda names, digests: STORE_HAS)


def start(folder: Path) -> Any:
    """Return what a worker that starts now serves."""
    return open_served(Settings(), AgreedVersions(folder))


def test_workers_begin_with_what_the_supervisor_has_opened(tmp_path: Path) -> None:
    assert start(tmp_path) == STORE_HAS
    AgreedVersions(tmp_path).begin([make("fr", "2"), make("de", "1")])
    assert start(tmp_path) == [("fr", "2"), ("de", "1")]  # the first answers who names none
    assert open_served(Settings(), None) == STORE_HAS  # the supervisor


def test_later_ones_begin_with_what_has_taken_its_place(tmp_path: Path) -> None:
    AgreedVersions(tmp_path).begin([make("fr", "1"), make("de", "1")])
    first, second = AgreedVersions(tmp_path), AgreedVersions(tmp_path)
    for worker in (first, second):
        worker.note_served("fr", "2")
        worker.note_newest("fr", "2")
    second.note_newest("de", "3")  # and reject it
    second.note_served("other", "1")  # loaded on demand
    first.note_served("fr", "1")  # a person took it back
    assert start(tmp_path) == [("fr", "1"), ("de", "1")]
    later = AgreedVersions(tmp_path)
    assert later.newest == {"fr": "2", "de": "3"}  # so neither is news to it
    assert first.newest == {"fr": "1", "de": "1"}


def test_what_is_not_there_any_more_gives_way_to_the_newest(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    AgreedVersions(tmp_path).begin([make("fr", "9")])
    with caplog.at_level(logging.WARNING):
        assert start(tmp_path) == STORE_HAS
    assert "not those agreed on: there is no version 9 of `fr`" in caplog.text


def test_a_digest_names_the_version_itself(tmp_path: Path) -> None:
    AgreedVersions(tmp_path).begin([make("fr", "2")])
    assert open_served(Settings(model_digest="ab"), AgreedVersions(tmp_path)) == STORE_HAS


def test_a_folder_that_can_not_be_written_to_stops_nobody(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    gone = tmp_path / "gone"
    AgreedVersions(gone).begin([make("fr", "2")])
    AgreedVersions(gone).note_served("fr", "1")
    assert start(gone) == STORE_HAS
    assert caplog.text.count("will serve the store's newest versions") == 1
