"""Training leaves a report, and `ekiben report` makes it again from the same table, with a learning curve."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from mlflow.tracking import MlflowClient

from ekiben.contract.errors import UserError
from ekiben.model.package import PackedModel
from ekiben.model.store import find_model, open_stored
from ekiben.training.report.findings import draw_test_rows
from ekiben.training.report.origin import prepare_again
from ekiben.training.report.remaking import learn
from ekiben.training.train_again import read_problem
from tests.conftest import run, stores_in, using_stores
from tests.reported_tables import make_frame

pytestmark = pytest.mark.slow
PROBLEM = """
name = "goods"
source = { path = "goods.csv" }
target = { name = "sold", task = "binary", classes = ["no", "yes"] }
slices = ["shop"]
[features]
size = { kind = "number" }
shop = { kind = "category" }
noise = { kind = "number" }
"""


@dataclass(frozen=True)
class Project:
    """A folder with a table, a problem file and stores of its own."""

    folder: Path

    def run(self, command: str, *options: str, fails: bool = False) -> "subprocess.CompletedProcess[str]":
        told = [command, "--problem", str(self.folder / "problem.toml"), *options]
        return run("-m", "ekiben.commands", *told, fails=fails, **stores_in(self.folder), EKIBEN_HOME=str(self.folder))

    @contextmanager
    def open_model(self) -> Iterator[PackedModel]:
        with using_stores(self.folder):
            yield open_stored(find_model("goods"))

    def read_artifact(self, model: PackedModel, name: str, folder: Path) -> str:
        client = MlflowClient(stores_in(self.folder)["MLFLOW_TRACKING_URI"])
        return Path(client.download_artifacts(model.manifest.run_id, name, str(folder))).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = Project(tmp_path_factory.mktemp("goods"))
    make_frame(400).to_csv(project.folder / "goods.csv", index=False)
    (project.folder / "problem.toml").write_text(PROBLEM)
    project.run("train", "--epochs", "2")
    return project


@pytest.fixture
def copied(trained: Project, tmp_path: Path) -> Project:
    shutil.copytree(trained.folder, tmp_path / "goods", symlinks=True)
    return Project(tmp_path / "goods")


def test_training_packs_a_report_and_logs_it(trained: Project, tmp_path: Path) -> None:
    with trained.open_model() as model:
        packed = (model.path / "report.html").read_text(encoding="utf-8")
        assert "report.html" in model.manifest.files
        assert "By shop" in packed
        assert "60 test rows" in packed
        assert trained.read_artifact(model, "report.html", tmp_path) == packed


def test_it_is_made_again_with_a_learning_curve_and_logged(trained: Project, tmp_path: Path) -> None:
    page = tmp_path / "again.html"
    done = trained.run("report", "--learning-curve", "-o", str(page))
    lines = done.stdout.splitlines()
    assert lines[-1] == f"wrote {page}"
    assert "ore rows would help" in lines[-2]
    assert "<polyline" in page.read_text(encoding="utf-8")
    with trained.open_model() as model:  # whose package was checked against its manifest
        assert "<polyline" not in (model.path / "report.html").read_text(encoding="utf-8")
        assert trained.read_artifact(model, "report.html", tmp_path) == page.read_text(encoding="utf-8")


def test_a_table_that_changed_or_is_gone_is_rejected(trained: Project, tmp_path: Path) -> None:
    table = trained.folder / "goods.csv"
    content, told = table.read_text(), ("report", "-o", str(tmp_path / "report.html"))
    try:
        table.write_text(content + "1,north,0,no,a,1\n")
        assert "has changed since version 1 was trained on it: put it back as it was" in fail(trained, *told)
        table.unlink()
        assert "goods.csv is gone: put the table back" in fail(trained, *told)
    finally:
        table.write_text(content)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_named_before_anything_is_fitted(trained: Project, tmp_path: Path) -> None:
    said = fail(trained, "report", "--learning-curve", "-o", str(tmp_path / "none" / "report.html"))
    assert "can't be written (there is no folder" in said


def test_without_a_model_there_is_no_report(trained: Project, tmp_path: Path) -> None:
    shutil.copy(trained.folder / "problem.toml", tmp_path)
    assert "ekiben train" in fail(Project(tmp_path), "report", "-o", str(tmp_path / "report.html"))


def test_without_mlflow_it_is_written_all_the_same(copied: Project, tmp_path: Path) -> None:
    (copied.folder / "mlflow.db").unlink()
    page = tmp_path / "report.html"
    done = copied.run("report", "-o", str(page))
    assert page.is_file()
    assert "note: it is not logged with the run: there is no MLflow store yet" in done.stdout


def test_a_model_that_was_trained_from_the_disk_has_its_report_already(trained: Project) -> None:
    with trained.open_model() as model:
        assert model.provenance
        definition = model.provenance.definition
        options = definition.options.model_copy(update={"memory": 2**30})
        problem = read_problem(model.provenance, model.path / "provenance.json")
        with pytest.raises(UserError, match="version 1 was trained from the disk: its report is made by"):
            prepare_again(problem, definition.model_copy(update={"options": options}), model)


def test_a_learning_curve_needs_rows(trained: Project) -> None:
    with trained.open_model() as model:
        assert model.provenance
        definition = model.provenance.definition
        problem = read_problem(model.provenance, model.path / "provenance.json")
        prepared = prepare_again(problem, definition, model)
        few = replace(prepared, parts=replace(prepared.parts, train=prepared.parts.train.iloc[:100]))
        answers = np.zeros((len(prepared.labels[2]), 1), np.float32)
        with pytest.raises(UserError, match="100 rows to train on are too few for a learning curve: at least 200"):
            learn(problem, few, definition, draw_test_rows(problem, prepared), answers)


def fail(project: Project, *arguments: str) -> str:
    done = project.run(*arguments, fails=True)
    assert done.returncode == 2
    line = done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
    return line
