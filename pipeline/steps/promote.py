"""Makes the version the champion: every gate before it let it pass."""

from ekiben.contract.errors import UserError
from ekiben.pipeline.records.record import StepRecord, go, stop
from ekiben.pipeline.step import Given, Made
from ekiben.pipeline.steps.champion import NONE, find_champion_inputs, find_champion_version
from ekiben.training.registry import tracking
from ekiben.training.registry.champion import install
from ekiben.training.registry.version_packages import find_stored

BUILDS_ON = ("pack", "validate")
GATED = True
OPTIONS: tuple[str, ...] = ()
GATE = "promotion"


class NoLongerChampion(UserError):
    """Somebody has chosen another champion since, or the BentoML store has lost it."""


def find_inputs(given: Given) -> dict[str, str]:
    """Return which champion's place is taken."""
    return find_champion_inputs(given.problem.name)


def run(given: Given) -> Made:
    """Take the champion's place, if it is still the one that the version was compared with."""
    name, version = given.problem.name, given.version
    compared = given.before["validate"].inputs["champion"]
    tracking.open_store(name)
    with tracking.deciding():
        champion = find_champion_version(name)
        if champion != version and tracking.get_version(name, version).tags.get(tracking.PROMOTED_TAG):
            again = f"`ekiben promote {version}` makes it that again"
            sentence = f"version {version} was the champion before {_name(champion)} was chosen: {again}"
            return Made(sentence, (stop(GATE, sentence),), version=version)
        if champion == version:
            sentence = f"version {version} of {name} is the champion already: nothing has changed since"
            install(name, version)  # which mends a BentoML store that lost it
        elif champion != compared:
            sentence = f"version {champion} became the champion of {name} meanwhile: run again to compare with it"
            return Made(sentence, (stop(GATE, sentence),), version=version)
        else:
            install(name, version)
            sentence = f"version {version} is the champion of {name}{_describe(champion)}"
    return Made(sentence, (go(GATE, sentence),), version=version)


def _describe(champion: str) -> str:
    return ", its first" if champion == NONE else f", in place of {_name(champion)}"


def _name(champion: str) -> str:
    return "none" if champion == NONE else f"version {champion}"


def check(given: Given, record: StepRecord) -> None:
    """Raise a UserError if the version is not the champion any more, or not the one that is served."""
    name = given.problem.name
    champion = find_champion_version(name) if tracking.connect() else NONE
    if champion != record.version:
        raise NoLongerChampion(f"the champion is {_name(champion)}, no longer version {record.version}")
    if find_stored(tracking.get_version(name, champion)) is None:
        raise NoLongerChampion(f"the BentoML store has lost version {champion}, or another is newer there")
