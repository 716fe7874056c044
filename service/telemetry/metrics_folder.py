"""The folder in which the processes of one service publish their counters.

BentoML has one folder for all services under its home, and empties it as another one starts: the counters of
the one that runs would never change again.
"""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

from bentoml._internal.context import server_context  # there is no public way

from ekiben.contract.errors import UserError

VARIABLE = "PROMETHEUS_MULTIPROC_DIR"  # BentoML sets it for its workers, which import the service too


def open_folder(parent: Path) -> Path:
    """Make this process's folder there, or else among the system's temporary ones; it goes as the process ends."""
    folder = _make_folder(parent)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def find_worker_folder() -> Path | None:
    """Return the folder of this process if it answers requests; None in a supervisor."""
    return None if server_context.worker_index is None else Path(os.environ[VARIABLE])


def remove_folder() -> None:
    """Remove the folder that the process which made it can't remove any more."""
    if VARIABLE in os.environ:
        shutil.rmtree(os.environ[VARIABLE], ignore_errors=True)


def allow_full_disk(folder: str) -> None:
    """Have temporary folders made in this one if no file can be written elsewhere: while empty they take no room."""
    try:
        tempfile.gettempdir()
    except FileNotFoundError:
        tempfile.tempdir = folder


def _make_folder(parent: Path) -> Path:
    folder = parent / f"metrics-{os.getpid()}"
    try:
        shutil.rmtree(folder, ignore_errors=True)  # of a container before this one, on the same volume
        folder.mkdir(parents=True)
    except OSError as reason:
        try:
            return Path(tempfile.mkdtemp(prefix="metrics-"))
        except OSError:
            advice = f"mount a writable folder, such as a tmpfs, on {parent} or on /tmp"
            raise UserError(f"no folder can be made in {parent} ({reason.strerror}) or in /tmp: {advice}") from None
    return folder
