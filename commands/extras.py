"""Says which extra of the package a command needs, where it was installed without."""

import sys
from collections.abc import Callable
from pathlib import Path

from ekiben.contract.errors import UserError

LOCKS = Path(__file__).resolve().parents[1] / "requirements"  # of a clone; a wheel has none that a command names


class MissingExtra(UserError):
    """The packages that a command needs are not installed."""


def as_missing_extra(extra: str, command: Callable[[], int | None]) -> int | None:
    """Run a command; raise MissingExtra if another project's module that it imports is not there."""
    try:
        return command()
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] == "ekiben":
            raise
        needed = f"this command needs {error.name}, which is not installed"
        raise MissingExtra(f"{needed}: {advise(extra)}") from None


def advise(extra: str) -> str:
    """Return the command that installs an extra: of a clone its lock, where it has one, as no index has the clone."""
    lock = LOCKS / f"{extra}.txt"
    if extra and lock.is_file():
        return f"{sys.executable} -m pip install --no-deps -r {lock}"
    return f"pip install 'ekiben[{extra}]'" if extra else "pip install ekiben"
