"""The record of a build names what went into the image, by digests, and who built it."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ekiben.deploy.image.base import Base
from ekiben.deploy.image.locks import LOCKS
from ekiben.deploy.image.statements.build_record import Built, write_record
from ekiben.model.integrity import digest_file
from ekiben.model.package import PackedModel
from tests.conftest import ROOT

pytestmark = pytest.mark.slow
BASE = Base("docker.io/library/python:3.11-slim", f"sha256:{'ab' * 32}")
COMMIT = "c" * 40


def record(
    model: PackedModel, folder: Path, base: Base = BASE, revision: str = COMMIT, **labels: str
) -> dict[str, Any]:
    """Return the predicate that is written of a build."""
    bill = folder / "bill.json"
    bill.write_text("{}")
    named = {f"org.opencontainers.image.{name}": value for name, value in ({"revision": revision} | labels).items()}
    began = datetime(2026, 1, 1, tzinfo=UTC)
    write_record(
        Built(model, "flights:1", "d" * 64, "litert", "podman", base, named, began, {"bill.json": bill}),
        folder / "record.json",
    )
    statement = json.loads((folder / "record.json").read_text())
    assert statement["_type"] == "https://in-toto.io/Statement/v1"
    assert statement["predicateType"] == "https://slsa.dev/provenance/v1"
    assert statement["subject"] == [{"name": "flights:1", "digest": {"sha256": "d" * 64}}]
    predicate: dict[str, Any] = statement["predicate"]
    return predicate


def materials(predicate: dict[str, Any]) -> dict[str, dict[str, str]]:
    entries = predicate["buildDefinition"]["resolvedDependencies"]
    return {entry.get("uri") or entry["name"]: entry.get("digest") for entry in entries}


def test_it_names_base_lock_commit_and_model(
    model: PackedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BUILDER_ID", "https://ci.example.com/build")
    predicate = record(model, tmp_path, source="https://git.example.com/flights")
    made_of = materials(predicate)
    assert made_of[f"docker://{BASE.name}"] == {"sha256": "ab" * 32}
    assert made_of[str(LOCKS["litert"])] == {"sha256": digest_file(ROOT / LOCKS["litert"])}
    assert made_of["git+https://git.example.com/flights"] == {"gitCommit": COMMIT}
    assert made_of[f"model/{model.name}/{model.version}/manifest.json"] == {"sha256": model.digest}
    details = predicate["runDetails"]
    assert details["builder"]["id"] == "https://ci.example.com/build"
    assert details["metadata"]["startedOn"] == "2026-01-01T00:00:00Z"
    assert details["byproducts"][0]["digest"] == {"sha256": digest_file(tmp_path / "bill.json")}


def test_what_is_not_known_is_not_made_up(model: PackedModel, tmp_path: Path) -> None:
    predicate = record(model, tmp_path, base=Base("localhost/own:1"), revision="unknown")
    made_of = materials(predicate)
    assert made_of["docker://localhost/own:1"] is None
    assert not [name for name in made_of if name.startswith("git+") or name == "source"]
    assert predicate["runDetails"]["builder"]["id"] == "urn:ekiben:builder:podman"


def test_a_changed_working_folder_is_said(model: PackedModel, tmp_path: Path) -> None:
    entries = record(model, tmp_path, revision=f"{COMMIT}+")["buildDefinition"]["resolvedDependencies"]
    (source,) = [entry for entry in entries if entry.get("name") == "source"]
    assert source == {"name": "source", "digest": {"gitCommit": COMMIT}, "annotations": {"changed": True}}
