"""From a package's provenance alone a fresh folder trains the same weights, or it is said why not."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ekiben.commands.__main__ import main
from ekiben.model.package import GOLDEN_FILE, LITERT_FILE
from ekiben.model.provenance import Provenance, load_provenance
from ekiben.model.store import find_model, open_stored
from ekiben.training.registry.patch_keeping import PATCH_FILE
from ekiben.training.train_again import compare_weights, find_differences
from tests.pipeline.lineage.conftest import CHANGE, Project, make_rows
from tests.repository import git

pytestmark = pytest.mark.slow
Capture = pytest.CaptureFixture[str]


def read(project: Project) -> dict[str, Any]:
    statement: dict[str, Any] = json.loads(project.provenance.read_text())
    return statement


def alter(statement: dict[str, Any], path: str, value: Any) -> Provenance:
    """Return a statement with another value at a path in its definition."""
    *keys, last = path.split(".")
    part = statement["predicate"]["definition"]
    for key in keys:
        part = part[key]
    part[last] = value
    return Provenance.model_validate(statement)


def test_a_fresh_folder_trains_the_same_weights(trained: Project, tmp_path: Path) -> None:
    file = tmp_path / "handed-over.json"
    file.write_bytes(trained.provenance.read_bytes())
    (fresh := tmp_path / "fresh").mkdir()
    again = Project(fresh)
    printed = again.run("train", "--from-provenance", str(file))
    assert printed.splitlines()[-1].startswith(f"the same weights: {LITERT_FILE}")
    assert (
        load_provenance(again.provenance).files[LITERT_FILE] == load_provenance(trained.provenance).files[LITERT_FILE]
    )
    assert "weights may differ" not in printed


def test_it_says_what_made_the_weights(trained: Project) -> None:
    statement = load_provenance(trained.provenance)
    said = statement.definition
    assert statement.files[LITERT_FILE] == hashlib.sha256((trained.package / LITERT_FILE).read_bytes()).hexdigest()
    assert (said.options.seed, said.options.epochs, said.data.rows) == (3, 2, 400)
    assert said.problem["features"] == {"size": {"kind": "number"}, "colour": {"kind": "category"}}
    assert said.machine.variables["TF_ENABLE_ONEDNN_OPTS"] == "0"
    assert said.environment.packages["keras"]
    assert statement.run.id == trained.run_id
    assert statement.run.champion is None


def test_the_packed_model_has_it(project: Project) -> None:
    packed = open_stored(find_model("goods"))
    assert packed.provenance == load_provenance(project.provenance)
    older = packed.manifest.model_copy(update={"files": {GOLDEN_FILE: ""}})
    assert replace(packed, manifest=older).provenance is None


def test_a_changed_working_tree_is_kept_as_a_patch(trained: Project, tmp_path: Path) -> None:
    source = load_provenance(trained.provenance).definition.source
    patch = trained.artifacts / PATCH_FILE
    assert source.commit.endswith("+")
    assert source.patch == hashlib.sha256(patch.read_bytes()).hexdigest()
    git(tmp_path, "clone", "-q", str(trained.folder), "clone")
    git(tmp_path / "clone", "apply", str(patch))
    assert (tmp_path / "clone" / "problem.toml").read_text().startswith(CHANGE)


@pytest.mark.parametrize(
    ("harm", "sentence"),
    [
        (lambda folder: (folder / "goods.csv").write_text(make_rows(399)), "put back the table as it was"),
        (lambda folder: (folder / "goods.csv").unlink(), "is gone: put the table back"),
    ],
)
def test_another_table_is_not_trained_on(project: Project, harm: Any, sentence: str, capsys: Capture) -> None:
    statement = read(project)
    altered = alter(statement, "problem.source.path", str(project.folder / "goods.csv"))
    altered.save(project.folder / "altered.json")
    harm(project.folder)
    assert main(["train", "--from-provenance", "altered.json"]) == 2
    assert sentence in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--from-provenance", "nothing.json"], "nothing.json can't be read (No such file or directory)"),
        (["--from-provenance", "problem.toml"], "problem.toml is not a provenance statement (invalid JSON"),
        (["--from-provenance", "x.json", "--seed", "4"], "give no other option with it"),
    ],
)
def test_what_cannot_be_repeated_is_said(
    project: Project, arguments: list[str], sentence: str, capsys: Capture
) -> None:
    assert main(["train", *arguments]) == 2
    assert sentence in capsys.readouterr().err


@pytest.mark.parametrize(
    ("path", "value", "sentence"),
    [
        ("options.log", {"folder": "s3://log"}, "the table was the log s3://log, whose rows are not kept here"),
        ("problem.source", {"url": "postgresql://…@shop/db", "query": "SELECT 1"}, "has no login of postgresql"),
        ("problem.features", {}, "holds a problem that this version can't read (`features`: dictionary should"),
    ],
)
def test_a_source_that_is_not_there_is_said(
    project: Project, path: str, value: Any, sentence: str, capsys: Capture
) -> None:
    alter(read(project), path, value).save(project.folder / "altered.json")
    assert main(["train", "--from-provenance", "altered.json"]) == 2
    assert sentence in capsys.readouterr().err


def test_other_code_another_lock_and_another_machine_are_said(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", "0")
    statement = read(project)
    assert list(find_differences(load_provenance(project.provenance))) == []
    alter(statement, "source.code", "0" * 64)
    alter(statement, "environment.packages.keras", "2.0")
    alter(statement, "machine.cpu", "an abacus")
    code, lock, machine = find_differences(alter(statement, "source.commit", "c0ffee"))
    assert code.startswith("the code is another (commit ")
    patch = statement["predicate"]["definition"]["source"]["patch"]
    assert code.endswith(f"not commit c0ffee with the patch {patch[:12]})")
    assert lock.startswith("the lock is another (keras 3.")
    assert machine.endswith(", not an abacus")


def test_other_weights_are_named(project: Project, capsys: Capture) -> None:
    statement = load_provenance(project.provenance)
    assert compare_weights(statement, project.package)
    (project.package / LITERT_FILE).write_bytes(b"other")
    assert not compare_weights(statement, project.package)
    assert f"other weights: {LITERT_FILE} differs from that of run {statement.run.id}" in capsys.readouterr().out
