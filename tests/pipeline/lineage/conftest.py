"""One small model, trained by the command in a folder of its own: a git repository whose problem file was changed."""

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient

from ekiben.model.package import PROVENANCE_FILE
from ekiben.training.registry.store import choose_store
from tests.conftest import stores_in, using_stores
from tests.repository import begin_repository

NAME = "goods"
PROBLEM = """
name = "goods"
[source]
path = "goods.csv"
[target]
name = "sold"
task = "binary"
[features]
size = { kind = "number" }
colour = { kind = "category" }
"""
CHANGE = "# another line\n"


@dataclass(frozen=True)
class Project:
    """A folder with a problem file, its table and its stores."""

    folder: Path

    @property
    def problem(self) -> Path:
        return self.folder / "problem.toml"

    @property
    def variables(self) -> dict[str, str]:
        return stores_in(self.folder) | {"EKIBEN_HOME": str(self.folder)}

    @property
    def run_id(self) -> str:
        return str(MlflowClient(self.variables["MLFLOW_TRACKING_URI"]).get_model_version(NAME, "1").run_id)

    @property
    def artifacts(self) -> Path:
        return self.folder / "artifacts" / self.run_id / "artifacts"

    @property
    def package(self) -> Path:
        return self.artifacts / "package"

    @property
    def provenance(self) -> Path:
        return self.package / PROVENANCE_FILE

    def keep(self) -> Path:
        """Put the tables that are kept where they are looked for, and return their folder."""
        return Path(shutil.move(self.folder / "kept", self.folder / "data" / "tables"))

    def run(self, *arguments: str, code: int = 0) -> str:
        """Run a command in the folder, and return what it printed."""
        done = subprocess.run(
            [sys.executable, "-m", "ekiben.commands", *arguments],
            cwd=self.folder, env=os.environ | self.variables, capture_output=True, text=True, timeout=300,
        )  # fmt: skip
        assert done.returncode == code, done.stdout + done.stderr
        return done.stderr + done.stdout


def make_rows(rows: int = 400) -> str:
    lines = [f"{index * 7 % 100},{('red', 'blue')[index % 3 == 0]},{index * 7 % 100 > 50}" for index in range(rows)]
    return "\n".join(["size,colour,sold", *lines]) + "\n"


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The project after one training; not to be changed."""
    folder = tmp_path_factory.mktemp("goods")
    (folder / "problem.toml").write_text(PROBLEM)
    (folder / "goods.csv").write_text(make_rows())
    (folder / ".gitignore").write_text("bentoml/\nartifacts/\nmlflow.db*\ndata/\n")
    begin_repository(folder)
    (folder / "problem.toml").write_text(CHANGE + PROBLEM)
    project = Project(folder)
    project.run("train", "--seed", "3", "--epochs", "2", "--keep-table")
    return project


@pytest.fixture
def project(trained: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    """A copy, which commands within this process use, and which may be altered."""
    folder = tmp_path / "copy"
    shutil.copytree(trained.folder, folder, ignore=shutil.ignore_patterns("mlflow.db*"))
    with sqlite3.connect(trained.folder / "mlflow.db") as source, sqlite3.connect(folder / "mlflow.db") as copy:
        source.backup(copy)
        copy.execute("UPDATE runs SET artifact_uri = replace(artifact_uri, ?, ?)", (str(trained.folder), str(folder)))
    shutil.move(folder / "data" / "tables", folder / "kept")  # what is kept is not there, but in tests that put it back
    monkeypatch.setenv("EKIBEN_HOME", str(folder))
    monkeypatch.chdir(folder)
    with using_stores(folder):
        choose_store()
        yield Project(folder)
