"""The dependency groups of pyproject.toml."""

import re
import tomllib

from tests.conftest import ROOT

GROUPS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["dependency-groups"]
REQUIREMENTS: list[str] = [entry for entries in GROUPS.values() for entry in entries if isinstance(entry, str)]


def to_name(requirement: str) -> str:
    """Return the package that a requirement or a distribution names."""
    return re.split(r"[\[ <>=;!~]", requirement)[0].lower().replace("_", "-")


def list_declared(group: str) -> set[str]:
    """Return the packages of a group, and of those it includes."""
    own = {to_name(entry) for entry in GROUPS[group] if isinstance(entry, str)}
    return own.union(*(list_declared(entry["include-group"]) for entry in GROUPS[group] if isinstance(entry, dict)))
