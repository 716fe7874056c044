"""Long work in short steps: a generator that yields before each, and returns what came of all of them.

Who has an event loop to turn runs a step at a time; who has not runs them to their end with `finish`.
"""

from collections.abc import Generator
from enum import Enum, auto
from typing import TypeVar


class Step(Enum):
    """What the next step is like, for who must choose where to run it."""

    BRIEF = auto()  # a millisecond or so, most of it with Python's lock: a thread would only fight for that
    UNLOCKED = auto()  # reads, digests or computes without Python's lock, however long


Result = TypeVar("Result")
Steps = Generator[Step, None, Result]


def finish(steps: Steps[Result]) -> Result:
    """Run all steps, and return what came of them."""
    while True:
        try:
            next(steps)
        except StopIteration as stopped:
            result: Result = stopped.value
            return result
