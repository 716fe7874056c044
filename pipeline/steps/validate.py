"""Asks whether the network may take the champion's place."""

from ekiben.pipeline.record import StepRecord
from ekiben.pipeline.step import Given, Made
from ekiben.pipeline.steps.champion import find_champion_inputs

BUILDS_ON = ("ingest", "train", "evaluate")
GATED = True
OPTIONS: tuple[str, ...] = ()


def find_inputs(given: Given) -> dict[str, str]:
    """Return the champion that it is compared with."""
    return find_champion_inputs(given.problem.name)


def run(given: Given) -> Made:
    """Ask one gate after the other, until one stops."""
    return Made("nothing is asked yet")


def check(given: Given, record: StepRecord) -> None:
    """Everything that is made is a file."""
