"""Makes the version the champion: every gate before it let it pass."""

from ekiben.pipeline.record import StepRecord, go, stop
from ekiben.pipeline.step import Given, Made
from ekiben.pipeline.steps.champion import find_champion_inputs, find_champion_version
from ekiben.training.registry import tracking
from ekiben.training.registry.champion import install

BUILDS_ON = ("pack", "validate")
GATED = True
OPTIONS: tuple[str, ...] = ()
GATE = "promotion"


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
    return f", in place of version {champion}" if champion.isdigit() else ", its first"


def check(given: Given, record: StepRecord) -> None:
    """Another champion is another input."""
