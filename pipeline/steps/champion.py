"""Which version is the champion, as what decides a step."""

from ekiben.training.registry import tracking

NONE = "none"


def find_champion_inputs(name: str) -> dict[str, str]:
    """Return the champion's version as an input; no store is made or changed."""
    return {"champion": find_champion_version(name) if tracking.connect() else NONE}


def find_champion_version(name: str) -> str:
    """Return the champion's version in the store that is chosen, or NONE."""
    champion = tracking.find_champion(name)
    return str(champion.version) if champion else NONE
