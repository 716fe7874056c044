"""A disk that others fill while a table goes to it: one sentence, and nothing is left there."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from ekiben.training.problem import ProblemConfig, read_problem
from ekiben.training.streaming.preparing import prepare_on_disk
from ekiben.training.streaming.scratch import NoRoom, open_room
from ekiben.training.streaming.spill import SpillToDisk
from ekiben.training.tables.read import read_table
from tests.big_table import write_problem, write_table
from tests.small_disk import small_disk
from tests.training.streaming.conftest import LITTLE

ROWS = 140_000  # two groups and a part of one
FULL = r"the disk of .*scratch is full, \d+\.\d MB of it with the table that is trained on from there: make room, set"


def fill_while_it_is_read(problem: ProblemConfig, others: Path) -> None:
    with open_room(LITTLE) as room:
        spill = SpillToDisk(problem, room, lambda said: fill_disk(others))  # that it goes to the disk
        read_table(problem, lambda share: None, spill=spill)


def fill_before_it_is_encoded(problem: ProblemConfig, others: Path) -> None:
    with open_room(LITTLE) as room:
        table = read_table(problem, lambda share: None, spill=SpillToDisk(problem, room, lambda said: None))
        fill_disk(others)
        prepare_on_disk(problem, table, room, lambda said: None)


def fill_disk(others: Path) -> None:
    others.write_bytes(bytes(shutil.disk_usage(others.parent).free - 1_000_000))


@pytest.mark.parametrize("train", [fill_while_it_is_read, fill_before_it_is_encoded])
def test_a_disk_that_fills_is_one_sentence_and_holds_nothing_after(
    train: Callable[[ProblemConfig, Path], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_table(ROWS, tmp_path / "big")
    problem = read_problem(write_problem(tmp_path / "big", by_time=True))
    with small_disk(tmp_path / "disk", 60_000_000) as disk:
        monkeypatch.setenv("EKIBEN_HOME", str(disk))
        with pytest.raises(NoRoom, match=FULL):
            train(problem, disk / "others")
        assert list((disk / "data" / "scratch").iterdir()) == []
