"""A folder of kept tables that is a test's own."""

from pathlib import Path

import pytest


@pytest.fixture
def tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the kept tables, in a project's home of this test's own."""
    monkeypatch.setenv("EKIBEN_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("EKIBEN_TABLES", raising=False)
    return tmp_path / "home" / "data" / "tables"
