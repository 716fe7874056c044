"""Says which extra of the package a command needs, where it was installed without."""

from collections.abc import Callable

from ekiben.contract.errors import UserError


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
        package = f"'ekiben[{extra}]'" if extra else "ekiben"
        raise MissingExtra(f"{needed}: pip install {package}") from None
