"""The setting MODEL_SOURCE: a registered model and the alias whose version is served."""

import re
from dataclasses import dataclass

PATTERN = re.compile(r"models:/([A-Za-z][A-Za-z0-9_]{0,62})@([A-Za-z][A-Za-z0-9_.-]{0,62})")


@dataclass(frozen=True)
class ModelSource:
    """A registered model and an alias of it."""

    name: str
    alias: str

    def __str__(self) -> str:
        return f"models:/{self.name}@{self.alias}"


def parse_source(text: str) -> ModelSource:
    """Read `models:/NAME@ALIAS`; raise ValueError if it is anything else."""
    found = PATTERN.fullmatch(text)
    if found is None:
        raise ValueError("expected models:/NAME@ALIAS, such as models:/flight_delay@champion")
    return ModelSource(*found.groups())
