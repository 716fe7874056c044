"""What the wheel depends on: dependency groups of pyproject.toml, where each package has its reason."""

import tomllib
from collections.abc import Iterator
from pathlib import Path

from setuptools import setup

GROUPS = tomllib.loads(Path(__file__).with_name("pyproject.toml").read_text(encoding="utf-8"))["dependency-groups"]
EXTRAS = ("load", "grpcio", "pipeline", "notebook", "excel", "delta", "iceberg", "trees", "signing")


def expand(group: str) -> Iterator[str]:
    """Yield the requirements of a group and of those it includes (PEP 735)."""
    for entry in GROUPS[group]:
        if isinstance(entry, dict):
            yield from expand(entry["include-group"])
        else:
            yield entry


setup(
    script_name="setup.py",  # which the package's own modules are told from
    install_requires=list(expand("image")),
    extras_require={
        extra: list(expand(extra))
        for extra in ("load", "grpcio", "pipeline", "notebook", "excel", "delta", "iceberg", "trees", "signing")
    },
)
