"""The folder on disk for a table that is trained on from there: gone when training ends, however it ends."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ekiben.contract.errors import UserError
from ekiben.training.home import DATA, make_folder
from ekiben.training.refusals import FULL, LITTLE_BYTES
from ekiben.training.streaming.memory import Budget, format_bytes

SCRATCH = "scratch"
LOCK = "lock"
ADVICE = "make room, set EKIBEN_HOME to a folder of a larger disk, or use --rows"


@dataclass(frozen=True)
class Room:
    """The memory for a table, and the folder it goes to if that is too little."""

    folder: Path
    budget: Budget


class NoRoom(UserError):
    """The disk is too small for the table."""


@contextmanager
def open_room(budget: Budget) -> Iterator[Room]:
    """Yield room with a folder beside the stores, removed at the end; so are those of processes that were killed."""
    parent = make_folder(DATA) / SCRATCH
    parent.mkdir(exist_ok=True)
    with _locked(parent):  # so that nobody takes a folder for an orphan that is not locked yet
        remove_orphans(parent)
        folder = Path(tempfile.mkdtemp(prefix="table-", dir=parent))
        lock = os.open(folder / LOCK, os.O_CREAT | os.O_RDWR)
        fcntl.flock(lock, fcntl.LOCK_EX)  # which ends with the process
    try:
        yield Room(folder, budget)
    except OSError as error:
        if error.errno in FULL and shutil.disk_usage(folder).free < LITTLE_BYTES:
            raise NoRoom(_describe_full(folder)) from None
        raise
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def remove_orphans(parent: Path) -> None:
    """Remove the folders whose processes are gone."""
    for folder in parent.glob("table-*"):
        if not is_in_use(folder):
            shutil.rmtree(folder, ignore_errors=True)


def is_in_use(folder: Path) -> bool:
    """Return whether a process holds the folder's lock; where there is none it was killed before it had one."""
    try:
        lock = os.open(folder / LOCK, os.O_RDWR)
    except OSError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(lock)
    return False


def check_room(folder: Path, needed: float) -> None:
    """Raise NoRoom if the folder's disk has less than is needed."""
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise NoRoom(
            f"{folder.parent} has {format_bytes(free)} left, and the table takes about {format_bytes(needed)} there "
            f"while it is trained on: {ADVICE}"
        )


def _describe_full(folder: Path) -> str:
    taken = format_bytes(sum(path.stat().st_size for path in folder.iterdir()))
    return f"the disk of {folder.parent} is full, {taken} of it with the table that is trained on from there: {ADVICE}"


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    opened = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(opened, fcntl.LOCK_EX)
        yield
    finally:
        os.close(opened)
