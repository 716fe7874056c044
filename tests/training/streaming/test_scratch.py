"""The folder of a table on disk is gone in the end: also after a kill, and where the disk is full."""

import argparse
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ekiben.contract.errors import UserError
from ekiben.training.arguments import memory
from ekiben.training.streaming.memory import (
    BASE_BYTES,
    MIN_BATCH_ROWS,
    STEP_BYTES,
    STEP_COLUMN_BYTES,
    Budget,
    find_budget,
)
from ekiben.training.streaming.scratch import NoRoom, check_room, open_room
from tests.conftest import ROOT, wait_until

BUDGET = Budget(2_000_000_000)
HOLD = """
import sys, time
from ekiben.training.streaming.memory import Budget
from ekiben.training.streaming.scratch import open_room
with open_room(Budget(2 * 10**9)) as room:
    (room.folder / "rows").write_bytes(b"rows")
    print(room.folder, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EKIBEN_HOME", str(tmp_path))
    return tmp_path / "data" / "scratch"


def hold(home: Path) -> "tuple[subprocess.Popen[str], Path]":
    """Start a process that has a folder."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD], cwd=ROOT, env=os.environ | {"EKIBEN_HOME": str(home)}, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout
    return process, Path(process.stdout.readline().strip())


def interrupt(folder: Path) -> None:
    (folder / "rows").write_bytes(b"rows")
    raise KeyboardInterrupt


def test_the_folder_is_removed_whatever_happens(scratch: Path) -> None:
    with pytest.raises(KeyboardInterrupt), open_room(BUDGET) as room:
        interrupt(room.folder)
    assert list(scratch.iterdir()) == []


def test_a_killed_process_s_folder_goes_at_the_next_start(scratch: Path, tmp_path: Path) -> None:
    process, folder = hold(tmp_path)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert (folder / "rows").exists()
    with open_room(BUDGET) as room:
        assert list(scratch.iterdir()) == [room.folder]


def test_a_folder_that_is_in_use_stays(scratch: Path, tmp_path: Path) -> None:
    process, folder = hold(tmp_path)
    with open_room(BUDGET):
        assert (folder / "rows").exists()
    process.communicate("")
    wait_until(lambda: list(scratch.iterdir()) == [])


def test_a_disk_that_is_too_small_is_said_before_it_is_full(tmp_path: Path) -> None:
    check_room(tmp_path, 1)
    with pytest.raises(NoRoom, match=r"has .* GB left, and the table takes about 1000000.0 GB there .*: make room"):
        check_room(tmp_path, 1e15)


@pytest.mark.parametrize(
    ("text", "bytes"), [("2GB", 2 * 10**9), ("1500MB", 1_500_000_000), ("1.5 GiB", 3 * 2**29), ("4gb", 4 * 10**9)]
)
def test_sizes_have_a_unit(text: str, bytes: int) -> None:
    assert memory(text) == bytes
    assert find_budget(bytes).bytes == bytes


@pytest.mark.parametrize("text", ["2", "2 G", "GB", "-2GB", "two", "2GBs", ""])
def test_other_sizes_are_one_sentence(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="expected a size with its unit, such as 2GB or 1500MiB"):
        memory(text)


def test_too_little_memory_is_one_sentence() -> None:
    with pytest.raises(UserError, match=r"--memory: the libraries alone take .* GB: give .* GB or more, not 0.5 GB"):
        find_budget(500_000_000)


def test_without_a_size_half_of_the_machine_is_taken() -> None:
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert 1_500_000_000 <= find_budget(None).bytes <= max(1_500_000_000, pages // 2)


@pytest.mark.parametrize(("bytes", "columns"), [(1_500_000_000, 31), (2_000_000_000, 31), (2_000_000_000, 500)])
def test_a_step_of_the_fit_takes_half_of_what_the_libraries_leave(bytes: int, columns: int) -> None:
    rows = Budget(bytes).batch_rows(columns)
    assert rows % 2 == 0
    assert 0.45 < rows * (STEP_BYTES + STEP_COLUMN_BYTES * columns) / (bytes - BASE_BYTES) <= 0.5


def test_next_to_no_memory_has_room_for_a_small_step() -> None:
    assert Budget(BASE_BYTES).batch_rows(31) == MIN_BATCH_ROWS
