"""Room for a table on disk, with so little memory that every table here goes there."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ekiben.training.streaming.memory import BASE_BYTES, Budget
from ekiben.training.streaming.scratch import Room, open_room

LITTLE = Budget(BASE_BYTES + 1_000_000)


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Room]:
    """Room for next to nothing."""
    monkeypatch.setenv("EKIBEN_HOME", str(tmp_path / "home"))
    with open_room(LITTLE) as opened:
        yield opened
