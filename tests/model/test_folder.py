"""A packed model is opened without BentoML, and is as it was packed."""

import shutil
from pathlib import Path

import pytest

from ekiben.contract.errors import InvalidModel
from ekiben.model.folder import open_packed
from ekiben.model.integrity import STORE_FILE
from ekiben.model.package import MANIFEST_FILE, PackedModel
from tests.conftest import NAME

pytestmark = pytest.mark.slow


def test_a_name_in_the_store_and_its_folder_are_the_same_model(model: PackedModel) -> None:
    assert open_packed(NAME) == open_packed(model.path) == open_packed(str(model.path)) == model


def test_a_copy_outside_of_a_store_is_checked_against_its_manifest(model: PackedModel, tmp_path: Path) -> None:
    copy = shutil.copytree(model.path, tmp_path / "copy")
    (copy / STORE_FILE).unlink()
    assert open_packed(copy).digest == model.digest
    (copy / "schema.json").write_bytes(b"{}")
    with pytest.raises(InvalidModel, match=r"schema.json is not the file that was packed: pack it again"):
        open_packed(copy)


def test_a_changed_manifest_is_found_by_the_stores_label(model: PackedModel, tmp_path: Path) -> None:
    copy = shutil.copytree(model.path, tmp_path / "copy")
    manifest = copy / MANIFEST_FILE
    manifest.write_bytes(manifest.read_bytes() + b"\n")
    with pytest.raises(InvalidModel, match=r"manifest.json is not the file that was packed"):
        open_packed(copy)


def test_what_is_no_model_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InvalidModel, match=r"is not a packed model, which has a manifest.json: name a folder that"):
        open_packed(tmp_path)
    monkeypatch.setenv("BENTOML_HOME", str(tmp_path))
    with pytest.raises(InvalidModel, match=r"`flights` is neither a folder nor a model in .*: run `ekiben train`, or"):
        open_packed("flights")
