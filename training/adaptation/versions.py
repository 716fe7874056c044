"""Which versions are one network with bounds moved by different margins: said by tags of the registry.

A version that training registered has no such tags: it is the network itself, with the margin 0.
"""

import math
from dataclasses import dataclass

from mlflow.entities.model_registry import ModelVersion

from ekiben.contract.errors import UserError
from ekiben.training.registry import tracking

TRAINED_TAG, MARGIN_TAG = "interval_trained", "interval_margin"  # the version that was trained; units of the answer


class NoChampion(UserError):
    """The registry has no version whose intervals could be moved."""


@dataclass(frozen=True)
class Family:
    """The champion, the version whose network it is, and the margin of every version of that network."""

    champion: ModelVersion
    trained: str
    margins: dict[str, float]


def find_family(name: str) -> Family:
    """Return the versions of the champion's network; raise NoChampion if there is no champion."""
    champion = tracking.find_champion(name)
    if champion is None:
        raise NoChampion(f"the registry has no champion of {name}: train one with `ekiben train`")
    trained = find_trained(champion)
    versions = {str(one.version): one for one in tracking.find_versions(name)}
    margins = {number: read_margin(one) for number, one in versions.items() if find_trained(one) == trained}
    return Family(champion, trained, margins)


def find_trained(version: ModelVersion) -> str:
    """Return the version whose network this one has."""
    return str(version.tags.get(TRAINED_TAG, version.version))


def read_margin(version: ModelVersion) -> float:
    """Return by how much a version's bounds are moved apart; raise UserError if its tag does not say so."""
    text = version.tags.get(MARGIN_TAG, "0")
    try:
        margin = float(text)
    except ValueError:
        margin = math.nan
    if not math.isfinite(margin):
        raise UserError(
            f"version {version.version} of {version.name} has the tag {MARGIN_TAG} = {text!r} in the registry, which "
            "is not a number: `ekiben promote` another version"
        )
    return margin
