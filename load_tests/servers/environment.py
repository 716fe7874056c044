"""The peers' environments: a folder each, made from `requirements/peers/NAME.txt` by `make peers`."""

from importlib.metadata import distributions
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / ".venv-peers"  # with a link `ekiben` to the package
STAMP = "installed"  # the last file that `make` writes


def is_installed(name: str) -> bool:
    """Return whether that environment is complete."""
    return (FOLDER / name / STAMP).exists()


def find_command(name: str, command: str = "python") -> Path:
    """Return the path of a command of that environment."""
    return FOLDER / name / "bin" / command


def find_version(name: str, package: str) -> str:
    """Return which version of a package that environment has."""
    indices = [str(path) for path in (FOLDER / name).glob("lib/python*/site-packages")]
    return next(found.version for found in distributions(name=package, path=indices))


def describe_missing(name: str, folder: Path = FOLDER) -> str:
    """Say that a peer is not measured, and why."""
    log = folder / f"{name}.log"  # what pip said
    said = log.read_text(encoding="utf-8").split("\n") if log.exists() else []
    errors = [line for line in said if line.startswith("ERROR")]
    if errors:
        return f"{name} is not measured: installing requirements/peers/{name}.txt ended with {errors[0]!r}"
    return f"{name} is not measured: it is not installed; `make peers` in a clone of Ekiben does that"
