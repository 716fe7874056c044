"""Where a step runs: the lock of its packages, and the machine."""

import hashlib
import platform
from functools import cache
from importlib.metadata import distributions

from ekiben.model.integrity import digest_file
from ekiben.training.registry import surroundings
from ekiben.training.registry.surroundings import LOCK

# The beginnings of NAME==VERSION.
DECISIVE = ("tensorflow", "keras==", "numpy==", "pandas==", "pyarrow==", "scikit-learn==")


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
    here = surroundings.describe_machine()
    return f"{platform.system()} {here.architecture}, {here.cpu}, {here.cores} cores, Python {here.python}"
