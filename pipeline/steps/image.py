"""To come."""

from ekiben.pipeline.record import StepRecord
from ekiben.pipeline.step import Given, Made

BUILDS_ON = ("pack",)
GATED = True
OPTIONS: tuple[str, ...] = ()


def find_inputs(given: Given) -> dict[str, str]:
    """Return nothing."""
    return {}


def run(given: Given) -> Made:
    """Ask nothing."""
    return Made("no image is asked for")


def check(given: Given, record: StepRecord) -> None:
    """Everything that is made is a file."""
