"""One project whose first run promoted its first version; tests get copies."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.pipeline.project import PROBLEM, Project, copy, make_rows, using


@pytest.fixture
def new_project(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Project]:
    """A project that nobody has run yet."""
    (tmp_path / "problem.toml").write_text(PROBLEM)
    (tmp_path / "shop.csv").write_text(make_rows(600, 0))
    with using(tmp_path):
        yield Project(tmp_path, capsys)


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a project that was run once, to be copied."""
    from ekiben.commands.__main__ import main

    folder = tmp_path_factory.mktemp("pipeline")
    (folder / "problem.toml").write_text(PROBLEM)
    (folder / "shop.csv").write_text(make_rows(600, 0))
    with using(folder):
        assert main(["run", "--epochs", "2"]) == 0
    return folder


@pytest.fixture
def project(trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Project]:
    """A copy of that project."""
    folder = copy(trained, tmp_path / "project")
    with using(folder):
        yield Project(folder, capsys)
