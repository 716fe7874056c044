"""A disk that is soon full."""

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest


@contextlib.contextmanager
def small_disk(folder: Path, bytes: int) -> Iterator[Path]:
    """Mount a disk of that size, where this user may."""
    folder.mkdir()
    options = ["-t", "tmpfs", "-o", f"size={bytes}", "none", str(folder)]
    if subprocess.run(["mount", *options], capture_output=True).returncode:
        pytest.skip("needs a user who may mount a disk")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)
