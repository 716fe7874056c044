"""`ekiben lineage` verifies each step from an answer to its rows, and names what was altered or is gone."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import httpx
import pyarrow as pa
import pytest
from mlflow.tracking import MlflowClient
from pyarrow import parquet

from ekiben.commands.__main__ import main
from ekiben.deploy.image.statements import inspect
from ekiben.model.package import GOLDEN_FILE, LITERT_FILE, MANIFEST_FILE, PROVENANCE_FILE
from ekiben.model.provenance import load_provenance
from ekiben.pipeline.lineage.link import Link
from ekiben.pipeline.records.keeping import find_folder, keep_record
from ekiben.pipeline.records.record import StepRecord, go, make_key
from ekiben.training.registry.patch_keeping import PATCH_FILE
from ekiben.training.registry.publishing import publish_package
from tests.conftest import serve, wait_until
from tests.pipeline.lineage.conftest import NAME, Project, make_rows

pytestmark = pytest.mark.slow
Capture = pytest.CaptureFixture[str]
ANSWER = "6745b0c1a1b2c3d4e5000001"
BROKEN = 3


@pytest.fixture(autouse=True)
def no_engines(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A search path without engines of containers."""
    engines = tmp_path / "engines"
    engines.mkdir()
    git = shutil.which("git")
    assert git
    (engines / "git").symlink_to(git)
    monkeypatch.setenv("PATH", str(engines))
    return engines


def trace(capsys: Capture, *arguments: str, code: int = 0) -> str:
    capsys.readouterr()
    assert main(["lineage", *arguments]) == code
    printed = capsys.readouterr()
    return printed.out if code in (0, BROKEN) else printed.err


def write_log(folder: Path, version: str = "1", schema: str | None = None) -> Path:
    """Write one part of a row log with two answers."""
    folder.mkdir(parents=True)
    moment = pa.array([1764000000000000] * 2, pa.timestamp("us", tz="UTC"))
    columns = {"prediction_id": [ANSWER, "mine/0"], "time": moment, "version": [version] * 2}
    table = pa.table(columns).replace_schema_metadata({"ekiben.schema": schema or "", "ekiben.target": "sold"})
    parquet.write_table(table, folder / "rows-1-20261102T000000Z-17-0.parquet")
    return folder


def test_a_version_is_traced_to_its_rows(project: Project, capsys: Capture) -> None:
    lines = trace(capsys, "1").splitlines()
    statement = load_provenance(project.provenance)
    assert lines[0] == f"✓ version 1 of goods · run {project.run_id}"
    assert any("✓ package manifest" in line and "files as packed" in line for line in lines)
    assert any(f"with {PATCH_FILE}" in line for line in lines)
    assert f"table {statement.definition.data.digest[:12]} · 400 rows of" in "\n".join(lines)
    assert any(line.endswith("read again") for line in lines)
    assert lines[-1] == "the chain holds"


def test_a_run_leads_to_its_version(project: Project, capsys: Capture) -> None:
    lines = trace(capsys, project.run_id).splitlines()
    assert lines[0].startswith(f"✓ run {project.run_id}")
    assert lines[1].startswith("└─ ✓ version 1 of goods")


@pytest.mark.parametrize("prediction_id", [ANSWER, "mine/0", "mine"])
def test_an_answer_leads_to_its_version(project: Project, capsys: Capture, prediction_id: str) -> None:
    schema = MlflowClient().get_model_version(NAME, "1").tags["schema_digest"]
    log = write_log(project.folder / "log", schema=schema)
    lines = trace(capsys, prediction_id, "--log", str(log)).splitlines()
    assert lines[0].startswith(f"✓ answer {prediction_id} · 2025-11-24 16:00:00+00:00 in rows-1-")
    assert lines[1] == f"└─ ✓ version 1 of goods · run {project.run_id}"
    assert "✓ answers 2 rows in the log" in trace(capsys, "1", "--log", str(log))


def test_an_answer_by_another_schema_or_version_breaks_the_chain(project: Project, capsys: Capture) -> None:
    log = write_log(project.folder / "log", schema="0" * 64)
    assert "✗ its row has the schema 000000000000" in trace(capsys, ANSWER, "--log", str(log), code=BROKEN)
    log = write_log(project.folder / "other", version="7")
    assert "✗ the registry has no version 7 of goods" in trace(capsys, ANSWER, "--log", str(log), code=BROKEN)


def test_json_has_the_same_tree(project: Project, capsys: Capture) -> None:
    tree = json.loads(trace(capsys, "1", "--format", "json"))
    assert (tree["kind"], tree["verdict"]) == ("version", "sound")
    (provenance,) = [link for link in tree["links"] if link["kind"] == "provenance"]
    assert [link["kind"] for link in provenance["links"]] == ["run", "source", "table", "champion before"]


def harm_file(name: str) -> Callable[[Project], None]:
    def harm(project: Project) -> None:
        content = (project.package / name).read_bytes()
        (project.package / name).write_bytes(content + b" ")

    return harm


def harm_patch(project: Project) -> None:
    (project.artifacts / PATCH_FILE).write_text("another")


def lose_patch(project: Project) -> None:
    (project.artifacts / PATCH_FILE).unlink()


def harm_store(project: Project) -> None:
    (project.folder / "bentoml" / "models" / NAME / "1" / GOLDEN_FILE).write_text("{}")


def harm_run(project: Project) -> None:
    MlflowClient().set_tag(project.run_id, "data_digest", "another")


def forge(project: Project) -> None:
    """Alter the network, and sign it as one who may write to MLflow could: but for the statement."""
    (project.package / LITERT_FILE).write_bytes(b"another")
    publish_package(project.package, "1", project.run_id)


def harm_table(project: Project) -> None:
    """Change a row where the provenance says that the table is, which is the folder that was trained in."""
    statement = json.loads(project.provenance.read_text())
    source = statement["predicate"]["definition"]["problem"]["source"]
    source["path"] = str(project.folder / "goods.csv")
    project.provenance.write_text(json.dumps(statement))
    publish_package(project.package, "1", project.run_id)
    (project.folder / "goods.csv").write_text(make_rows().replace("blue", "green", 1))


@pytest.mark.parametrize(
    ("harm", "sentence"),
    [
        (harm_file(LITERT_FILE), f"✗ {LITERT_FILE} is not the file that was packed"),
        (harm_file(MANIFEST_FILE), f"✗ {MANIFEST_FILE} is not the file that was packed"),
        (harm_file(PROVENANCE_FILE), f"✗ {PROVENANCE_FILE} is not the file that was packed"),
        (forge, f"✗ {LITERT_FILE} is not the file that {PROVENANCE_FILE} is about"),
        (harm_patch, f"✗ {PATCH_FILE} of the run was altered"),
        (lose_patch, f"✗ {PATCH_FILE} is gone from the run"),
        (harm_store, f"{GOLDEN_FILE} is not the file that was packed"),
        (harm_run, "✗ its tag data_digest is another, but provenance.json has"),
        (harm_table, "holds other rows now: their digest is"),
    ],
)
def test_what_was_altered_is_named(
    project: Project, harm: Callable[[Project], None], sentence: str, capsys: Capture
) -> None:
    harm(project)
    printed = trace(capsys, "1", code=BROKEN)
    assert sentence in printed
    assert "fault" in printed.splitlines()[-1]


def test_a_table_that_is_kept_is_read_again(project: Project, trained: Project, capsys: Capture) -> None:
    kept = project.keep()
    assert any(line.endswith("kept, and read again") for line in trace(capsys, "1").splitlines())
    (group,) = kept.glob("groups/*/*.parquet")
    group.write_bytes(b"another")
    assert f"{group.name} was altered" in trace(capsys, "1", code=BROKEN)


def test_a_package_that_is_gone_is_one_sentence(project: Project, capsys: Capture) -> None:
    shutil.rmtree(project.package)
    shutil.rmtree(project.folder / "bentoml" / "models" / NAME)
    assert "✗ the package of version 1 of goods is gone from its run in MLflow" in trace(capsys, "1", code=BROKEN)


def test_a_package_without_provenance_ends_the_chain(project: Project, capsys: Capture) -> None:
    project.provenance.unlink()
    publish_package(project.package, "1", project.run_id)
    shutil.rmtree(project.folder / "bentoml" / "models" / NAME)
    printed = trace(capsys, "1")
    assert "? packed before provenance.json was: it ends here" in printed
    assert printed.splitlines()[-1] == "the chain holds; 1 not checked"


def keep_verdict(model: str, run: str | None, sentence: str) -> Path:
    """Keep a record of a gate on version 1 of a model, and return its path."""
    parts = {"code": "c", "lock": "l", "configuration": {"name": model}, "options": {}, "inputs": {"of": sentence}}
    key = make_key("shadow", **parts)  # type: ignore[arg-type]
    about = {"after": None, "event": None, "began": "b", "ended": "e", "machine": "m", "outputs": {}}
    verdicts = (go("shadow", sentence),)
    keep_record(StepRecord(step="shadow", key=key, **parts, **about, verdicts=verdicts, mlflow_run=run, version="1"))  # type: ignore[arg-type]
    return find_folder("records") / f"{key}.json"


def test_the_gates_of_the_pipelines_records_are_listed(project: Project, capsys: Capture) -> None:
    keep_verdict(NAME, project.run_id, "it is better")
    keep_verdict(NAME, None, "it is not worse")
    keep_verdict(NAME, "0" * 32, "of another run")
    keep_verdict("others", None, "of another model")
    printed = trace(capsys, "1")
    assert "gates 2 verdicts · " in printed
    assert "shadow: go, it is better" in printed
    assert "shadow: go, it is not worse" in printed
    assert "of another" not in printed


@pytest.mark.parametrize(
    ("alter", "fault"),
    [(lambda text: text.replace('"go"', '"stop"'), "is not as it was written"), (lambda text: "{", "can't be read")],
)
def test_a_damaged_record_breaks_the_chain(
    alter: Callable[[str], str], fault: str, project: Project, capsys: Capture
) -> None:
    path = keep_verdict(NAME, project.run_id, "it is better")
    path.write_text(alter(path.read_text()))
    assert f"✗ the record {path.name} {fault}" in trace(capsys, "1", code=BROKEN)


@pytest.mark.parametrize(
    ("what", "sentence"),
    [
        ("9", "the registry has no version 9 of goods; it has: 1"),
        ("0" * 32, f"MLflow has no run {'0' * 32}"),
        ("0" * 24, "can't be listed (No such file or directory)"),
        ("goods:1", "goods:1 is nothing known here: no engine is installed that could have the image goods:1"),
        ("--as=image -x", "no engine is installed that could have the image"),
    ],
)
def test_what_is_not_known_is_one_sentence(project: Project, what: str, sentence: str, capsys: Capture) -> None:
    error = trace(capsys, *what.replace(" -x", " x").split(), code=2)
    assert sentence in error
    assert error.count("\n") == 1


def test_an_answer_that_was_not_logged_is_one_sentence(project: Project, capsys: Capture) -> None:
    log = write_log(project.folder / "log")
    error = trace(capsys, "f" * 24, "--log", str(log), code=2)
    assert "has the id " + "f" * 24 + ": was it sampled (LOG_SAMPLE)?" in error


def install(engines: Path, labels: dict[str, str]) -> None:
    """Put an engine on the path that has one image, of these labels, and copies nothing out of it."""
    shown = json.dumps([{"Config": {"Labels": labels}}])
    (engines / "docker").write_text(f"#!/bin/sh\n[ \"$1\" = image ] && echo '{shown}'\n")
    (engines / "docker").chmod(0o755)


def label(project: Project, **changes: str) -> dict[str, str]:
    tags = MlflowClient().get_model_version(NAME, "1").tags
    labels = {
        "org.opencontainers.image.title": NAME,
        "org.opencontainers.image.version": "1",
        "ekiben.run-id": project.run_id,
        "ekiben.manifest-digest": tags["manifest_digest"],
        "ekiben.provenance-digest": "0" * 64,
    }
    return labels | changes


def test_an_image_leads_to_its_version(project: Project, no_engines: Path, capsys: Capture) -> None:
    install(no_engines, label(project))
    lines = trace(capsys, "goods:1").splitlines()
    assert lines[0] == "? image goods:1 · read by docker"
    assert "? manifest.json could not be copied out of it: only its label is known" in lines[1]
    assert "└─ ✓ version 1 of goods" in "\n".join(lines)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"ekiben.manifest-digest": "0" * 64}, "✗ its manifest 000000000000 is not that of the registry's version 1"),
        ({"ekiben.run-id": "another"}, "✗ its run is another, that of the version"),
        ({"org.opencontainers.image.version": "8"}, "✗ the registry has no version 8 of goods"),
    ],
)
def test_an_image_of_another_model_is_said(
    project: Project, no_engines: Path, changes: dict[str, str], sentence: str, capsys: Capture
) -> None:
    install(no_engines, label(project, **changes))
    assert sentence in trace(capsys, "goods:1", code=BROKEN)


def test_an_image_without_labels_is_one_sentence(project: Project, no_engines: Path, capsys: Capture) -> None:
    install(no_engines, {"maintainer": "somebody"})
    assert "the image goods:1 has no label org.opencontainers.image.title" in trace(capsys, "goods:1", code=2)


def test_an_engine_that_prints_too_much_has_no_image(no_engines: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(no_engines, {"a": "b"})
    assert inspect.read_labels("x") == ("docker", {"a": "b"})
    monkeypatch.setattr(inspect, "MAX_BYTES", 10)
    with pytest.raises(inspect.ImageUnknown):
        inspect.read_labels("x")


def test_a_served_answer_is_traced_to_its_rows(project: Project, tmp_path: Path, capsys: Capture) -> None:
    log = tmp_path / "log"
    settings = {"MODEL_NAME": NAME, "LOG_SAMPLE": "1", "LOG_FOLDER": str(log), "PATH": os.defpath}
    with serve(tmp_path, **project.variables, **settings) as server:
        answered = httpx.post(f"{server.url}/predict", json={"rows": [{"size": 3, "colour": "red"}]})
        assert answered.status_code == 200, answered.text
    wait_until(lambda: any(log.glob("rows-*.parquet")))
    printed = trace(capsys, answered.headers["X-Prediction-Id"], "--log", str(log))
    assert printed.startswith("✓ answer ")
    assert printed.splitlines()[-1] == "the chain holds"


def test_a_link_knows_what_is_below_it() -> None:
    link = Link("a", "1", links=(Link("b", "2", faults=("broken",)),))
    assert [one.verdict for one in link.walk()] == ["sound", "broken"]
