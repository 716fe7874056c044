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
CPUS = Path("/proc/cpuinfo")


@cache
def digest_lock() -> str:
    """Return the SHA-256 of the packages' lock, or where there is none, of the versions that are installed."""
    if LOCK.is_file():
        return digest_file(LOCK)
    installed = sorted({f"{found.metadata['Name']}=={found.version}".lower() for found in distributions()})
    return hashlib.sha256("\n".join(installed).encode()).hexdigest()


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
