"""A project of its own for each test, and runs that are recorded."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.pipeline.triggers.recorded_runs import RecordedRuns


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project's folder."""
    folder = tmp_path / "home"
    monkeypatch.setenv("EKIBEN_HOME", str(folder))
    return folder


@pytest.fixture
def runs(home: Path, tmp_path: Path) -> Iterator[RecordedRuns]:
    """Runs of this test, which all end with it."""
    recorded = RecordedRuns(tmp_path / "runs")
    yield recorded
    recorded.end()
