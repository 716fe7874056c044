"""What a driver and its executors have installed: where it differs, answers may differ too.

Imports nothing but the standard library: it is asked before anything else is imported on an executor.
"""

import socket
import sys
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version

ENGINES: Mapping[str, tuple[str, ...]] = {"litert": ("ai-edge-litert",), "tensorflow": ("tensorflow-cpu", "tensorflow")}
NEEDED = ("pyarrow", "pydantic", "orjson")
ABSENT = ""
MEND = "give the executors the driver's packages, as docs/spark.md says"


class ExecutorDiffers(Exception):
    """An executor lacks a package, or has another version of one that computes."""


def read_versions(engine: str) -> dict[str, str]:
    """Return the version of each package that computes, and of those that only have to be there; "" if it is absent."""
    engines = {name: _find_version(name) for name in ENGINES[engine]}
    installed = {name: found for name, found in engines.items() if found} or {ENGINES[engine][0]: ABSENT}
    return {"numpy": _find_version("numpy"), **installed, **{name: _find_version(name) for name in NEEDED}}


def check_versions(driver: Mapping[str, str], engine: str) -> None:
    """Raise ExecutorDiffers if this process has other packages than the driver, whose `read_versions` is given."""
    here = read_versions(engine)
    for name, wanted in driver.items():
        found = here.get(name, ABSENT)
        where = f"executor {socket.gethostname()} ({sys.executable})"
        if found == ABSENT:
            raise ExecutorDiffers(f"{where} lacks {name} {wanted}: {MEND}")
        if found != wanted and name not in NEEDED:
            raise ExecutorDiffers(f"{where} has {name} {found}, the driver {wanted}, so answers may differ: {MEND}")


def _find_version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ABSENT
