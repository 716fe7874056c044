"""A model that is missing, damaged or changed is rejected in one sentence, before anything serves."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ekiben.contract.errors import InvalidModel
from ekiben.contract.schema import Target
from ekiben.model.golden import measure_difference
from ekiben.model.integrity import STORE_FILE, digest_file
from ekiben.model.package import GOLDEN_FILE, LITERT_FILE, MANIFEST_FILE, SCHEMA_FILE, PackedModel, open_model
from ekiben.model.store import DIGEST_LABEL, find_model, open_stored
from tests.conftest import NAME, free_port, run

pytestmark = pytest.mark.slow


@pytest.fixture
def folder(copied_store: Path, model: PackedModel) -> Path:
    """A packed model that may be damaged."""
    return copied_store / "models" / NAME / model.version


def sign(folder: Path, file: str) -> None:
    """Put a changed file's digest into the manifest and the manifest's into the label, as one who means harm would."""
    manifest = json.loads((folder / MANIFEST_FILE).read_text())
    manifest["files"][file] = digest_file(folder / file)
    write_manifest(folder, manifest)


def write_manifest(folder: Path, manifest: dict[str, Any]) -> None:
    """Write a changed manifest, and the label that binds it."""
    bound = read_digest(folder)
    (folder / MANIFEST_FILE).write_text(json.dumps(manifest))
    label = folder / STORE_FILE
    label.write_text(label.read_text().replace(bound, digest_file(folder / MANIFEST_FILE)))


def read_digest(folder: Path) -> str:
    """Return the manifest's digest as the store's label has it."""
    (line,) = [line for line in (folder / STORE_FILE).read_text().splitlines() if DIGEST_LABEL in line]
    return line.partition(": ")[2]


def reopen(folder: Path) -> PackedModel:
    """Open a packed folder by the label beside it."""
    return open_model(folder, read_digest(folder))


def packed_files(model: PackedModel) -> list[str]:
    return sorted(model.manifest.files)


def test_an_unharmed_model_opens(folder: Path) -> None:
    reopen(folder).start_engine()


def test_every_packed_file_is_watched(model: PackedModel) -> None:
    files = packed_files(model)
    assert {SCHEMA_FILE, GOLDEN_FILE, LITERT_FILE} < set(files)
    assert [file for file in files if file.startswith("saved_model/")]


@pytest.mark.parametrize("harm", ["truncate", "alter", "remove"])
def test_a_harmed_file_is_named(folder: Path, model: PackedModel, harm: str) -> None:
    for file in packed_files(model):
        content = (folder / file).read_bytes()
        if harm == "remove":
            (folder / file).unlink()
        else:
            (folder / file).write_bytes(content[:-1] if harm == "truncate" else b"x" + content[1:])
        with pytest.raises(InvalidModel, match=file):
            reopen(folder)
        (folder / file).write_bytes(content)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"files": 3}'])
def test_a_harmed_manifest_is_named(folder: Path, text: str) -> None:
    (folder / MANIFEST_FILE).write_text(text)
    with pytest.raises(InvalidModel, match=MANIFEST_FILE):
        reopen(folder)


def test_a_manifest_that_is_not_the_labels_is_rejected(folder: Path) -> None:
    manifest = json.loads((folder / MANIFEST_FILE).read_text())
    (folder / MANIFEST_FILE).write_text(json.dumps(manifest))  # the same, but for its spaces
    with pytest.raises(InvalidModel, match=r"manifest\.json is not the file that was packed: pack it again"):
        reopen(folder)


@pytest.mark.parametrize("name", ["added", ".hidden", "saved_model/assets.extra/added", "saved_model/model.yaml"])
def test_a_file_that_was_not_packed_is_rejected(folder: Path, name: str) -> None:
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_bytes(b"")
    with pytest.raises(InvalidModel, match=f"{name} is not one of the files that were packed: pack it again"):
        reopen(folder)


@pytest.mark.parametrize("name", [GOLDEN_FILE, MANIFEST_FILE, "saved_model", "added"])
def test_a_link_is_rejected_even_to_the_same_file(folder: Path, tmp_path: Path, name: str) -> None:
    target = tmp_path / "target"
    if (folder / name).exists():
        (folder / name).rename(target)
    (folder / name).symlink_to(target)
    with pytest.raises(InvalidModel, match=f"{name} is a link, not a file that was packed"):
        reopen(folder)


@pytest.mark.parametrize("name", ["../outside", "/etc/hostname", "saved_model/../../outside"])
def test_a_manifest_that_names_a_file_outside_is_rejected(folder: Path, name: str) -> None:
    manifest = json.loads((folder / MANIFEST_FILE).read_text())
    manifest["files"][name] = "0" * 64
    write_manifest(folder, manifest)
    with pytest.raises(InvalidModel, match=MANIFEST_FILE):
        reopen(folder)


def test_the_digest_of_the_settings_binds_the_label(model: PackedModel) -> None:
    stored = find_model(NAME)
    assert open_stored(stored, model.digest).digest == model.digest
    with pytest.raises(InvalidModel, match=f"has the manifest digest {model.digest}, but MODEL_DIGEST=ba5e: serve"):
        open_stored(stored, "ba5e")


def test_other_golden_answers_are_rejected(folder: Path) -> None:
    golden = json.loads((folder / GOLDEN_FILE).read_text())
    golden["answers"][7][0] += 0.001
    (folder / GOLDEN_FILE).write_text(json.dumps(golden))
    sign(folder, GOLDEN_FILE)
    with pytest.raises(InvalidModel, match=r"up to 0\.001 away"):
        reopen(folder).start_engine()


@pytest.mark.parametrize(
    "text", ["", "xx", "[]", '{"x": 1}', '{"rows": [], "answers": []}', '{"rows": [{}], "answers": [[0.5]]}']
)
def test_harmed_golden_rows_are_rejected(folder: Path, text: str) -> None:
    (folder / GOLDEN_FILE).write_text(text)
    sign(folder, GOLDEN_FILE)
    with pytest.raises(InvalidModel, match=GOLDEN_FILE):
        reopen(folder).start_engine()


def leave_out_golden(folder: Path) -> None:
    """Make it a package that was packed without golden rows."""
    (folder / GOLDEN_FILE).unlink()
    manifest = json.loads((folder / MANIFEST_FILE).read_text())
    del manifest["files"][GOLDEN_FILE]
    write_manifest(folder, manifest)


def test_without_golden_rows_the_engine_answers_the_example(folder: Path) -> None:
    leave_out_golden(folder)
    packed = reopen(folder)
    assert not packed.has_golden
    packed.start_engine()


def test_without_golden_rows_an_example_that_has_no_answer_is_rejected(folder: Path) -> None:
    leave_out_golden(folder)
    schema = json.loads((folder / SCHEMA_FILE).read_text())
    schema["features"][0]["example"] = {"number": "far", "timestamp": "never"}.get(schema["features"][0]["kind"], 7.5)
    (folder / SCHEMA_FILE).write_text(json.dumps(schema))
    sign(folder, SCHEMA_FILE)
    with pytest.raises(InvalidModel, match="can't answer the schema's example"):
        reopen(folder).start_engine()


def test_too_few_golden_answers_are_rejected(folder: Path) -> None:
    golden = json.loads((folder / GOLDEN_FILE).read_text())
    golden["answers"].pop()
    (folder / GOLDEN_FILE).write_text(json.dumps(golden))
    sign(folder, GOLDEN_FILE)
    with pytest.raises(InvalidModel, match="has 255 answers to 256 rows"):
        reopen(folder).start_engine()


@pytest.mark.parametrize("change", [{"version": None}, {"engine": "foo"}, {"files": {}}, {"files": 3}])
def test_a_manifest_without_what_it_must_say_is_rejected(folder: Path, change: dict[str, object]) -> None:
    manifest = json.loads((folder / MANIFEST_FILE).read_text())
    write_manifest(folder, manifest | change)
    with pytest.raises(InvalidModel, match=MANIFEST_FILE):
        reopen(folder)


def test_another_network_is_rejected(folder: Path) -> None:
    network = bytearray((folder / LITERT_FILE).read_bytes())
    middle = len(network) // 2
    network[middle : middle + 400] = bytes(400)  # weights are most of the file
    (folder / LITERT_FILE).write_bytes(network)
    sign(folder, LITERT_FILE)
    with pytest.raises(InvalidModel):
        reopen(folder).start_engine()


def reject(**environment: str) -> str:
    """Return the one sentence with which the service rejects to start."""
    rejected = run("-m", "bentoml", "serve", "--port", str(free_port()), fails=True, **environment)
    assert "Traceback" not in rejected.stdout + rejected.stderr
    (sentence,) = [line for line in rejected.stderr.splitlines() if line.startswith("Error")]
    return sentence


def test_a_harmed_model_does_not_serve(copied_store: Path, folder: Path) -> None:
    (folder / LITERT_FILE).write_bytes(b"")
    assert "model.tflite is not the file that was packed" in reject(BENTOML_HOME=str(copied_store))


def test_a_changed_model_does_not_serve(copied_store: Path, folder: Path) -> None:
    golden = json.loads((folder / GOLDEN_FILE).read_text())
    golden["answers"][0][0] = 0.123
    (folder / GOLDEN_FILE).write_text(json.dumps(golden))
    sign(folder, GOLDEN_FILE)
    assert "answers its golden rows up to" in reject(BENTOML_HOME=str(copied_store))


def test_a_signed_change_does_not_serve_under_the_digest_that_was_set(
    copied_store: Path, folder: Path, model: PackedModel
) -> None:
    schema = json.loads((folder / SCHEMA_FILE).read_text())
    schema["target"]["description"] = "changed"
    (folder / SCHEMA_FILE).write_text(json.dumps(schema))
    sign(folder, SCHEMA_FILE)
    reopen(folder).start_engine()
    assert "manifest digest" in reject(BENTOML_HOME=str(copied_store), MODEL_DIGEST=model.digest)


def test_what_was_packed_without_a_digest_does_not_serve(copied_store: Path, folder: Path) -> None:
    label = folder / STORE_FILE
    label.write_text(label.read_text().replace(DIGEST_LABEL, "other"))
    sentence = reject(BENTOML_HOME=str(copied_store))
    assert "was packed before its manifest's digest was kept with it: pack it again with `ekiben train`" in sentence


def test_promoting_packs_an_altered_model_again(copied_store: Path, folder: Path, model: PackedModel) -> None:
    (folder / LITERT_FILE).write_bytes(b"")
    promoted = run("-m", "ekiben.training", "promote", model.version, BENTOML_HOME=str(copied_store))
    assert f"packed as {NAME}:{model.version}" in promoted.stdout
    reopen(folder).start_engine()


def test_without_a_model_it_says_how_to_get_one(tmp_path: Path) -> None:
    assert "there is no model" in reject(BENTOML_HOME=str(tmp_path))
    assert "run `ekiben train` first" in reject(BENTOML_HOME=str(tmp_path))


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("PORT", "http"),
        ("PORT", "70000"),
        ("REQUEST_TIMEOUT_S", "-1"),
        ("MAX_BODY_BYTES", "8MB"),
        ("GRPC_PORT", "0"),
    ],
)
def test_a_wrong_setting_is_named(model: PackedModel, setting: str, value: str) -> None:
    assert f"{setting}={value!r}" in reject(**{setting: value})


def test_settings_that_do_not_go_together_are_named(model: PackedModel) -> None:
    assert "MAX_WAITING_ROWS=5 must be at least MAX_REQUEST_ROWS=20000" in reject(MAX_WAITING_ROWS="5")
    assert "TLS_CERT_FILE and TLS_KEY_FILE are needed together" in reject(TLS_CERT_FILE=__file__)


def test_the_only_model_needs_no_name(model: PackedModel) -> None:
    assert find_model("").tag == find_model(NAME).tag


def test_a_model_that_is_not_there_is_named(model: PackedModel) -> None:
    with pytest.raises(InvalidModel, match="there is no model `nothing`"):
        find_model("nothing")


def test_of_several_models_one_must_be_chosen(copied_store: Path) -> None:
    models = copied_store / "models"
    shutil.copytree(models / NAME, models / "another")
    for listing in (models / "another").glob("*/model.yaml"):
        listing.write_text(listing.read_text().replace(f"name: {NAME}", "name: another"))
    sentence = reject(BENTOML_HOME=str(copied_store), MODEL_NAME="")
    assert f"has another, {NAME}: choose one with MODEL_NAME=another" in sentence


@pytest.mark.parametrize(
    ("scale", "given", "wanted", "difference"),
    [
        (1.0, [[0.5], [0.25]], [[0.5], [0.5]], 0.25),
        (1000.0, [[10.0, 0.0, 20.0]], [[0.0, 0.0, 20.0]], 0.01),  # in units of the scale
        (1.0, [[1010.0]], [[1000.0]], 0.01),  # and of the answer where that is larger
        (1.0, [[float("nan")]], [[0.5]], float("nan")),
    ],
)
def test_differences_are_relative_to_the_scale(
    scale: float, given: list[list[float]], wanted: list[list[float]], difference: float
) -> None:
    target = Target(name="price", task="regression", scale=scale)
    measured = measure_difference(target, np.array(given, np.float32), np.array(wanted, np.float32))
    assert measured == pytest.approx(difference, nan_ok=True)
