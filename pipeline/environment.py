"""Where a step runs: the lock of its packages, and the machine."""

import hashlib
import os
import platform
from functools import cache
from importlib.metadata import distributions
from pathlib import Path

from ekiben.model.integrity import digest_file
from ekiben.pipeline.code_digest import ROOT

LOCK = ROOT / "requirements" / "training.txt"
# The beginnings of NAME==VERSION.
DECISIVE = ("tensorflow", "keras==", "numpy==", "pandas==", "pyarrow==", "scikit-learn==")
CPUS = Path("/proc/cpuinfo")


@cache
def digest_lock() -> str:
    """Return the SHA-256 of the packages' lock and of the installed versions that weights depend on.

    Where there is no lock, of all that are installed.
    """
    installed = {f"{found.metadata['Name']}=={found.version}".lower().replace("_", "-") for found in distributions()}
    if LOCK.is_file():  # which `pip install` does not change
        installed = {digest_file(LOCK), *(one for one in installed if one.startswith(DECISIVE))}
    return hashlib.sha256("\n".join(sorted(installed)).encode()).hexdigest()


@cache
def describe_machine() -> str:
    """Return what kind of machine this is, as far as the last bits of a sum depend on it."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    python = platform.python_version()
    return f"{platform.system()} {platform.machine()}, {_name_cpu()}, {cores} cores, Python {python}"


def _name_cpu() -> str:
    try:
        lines = CPUS.read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown CPU")
