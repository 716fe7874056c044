"""Which cores the service gets and which the load generator: on shared ones each would measure the other."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from ekiben.contract.errors import UserError

MAX_GENERATORS = 4  # one carries as much as two workers; more only slice the load


class NoFreeCore(UserError):
    """The load generator would share the service's only core."""


@dataclass(frozen=True)
class Split:
    """The cores of either side."""

    service: frozenset[int]
    generator: frozenset[int]

    @property
    def shared(self) -> bool:
        """Whether they overlap: the service then carries more than is measured."""
        return bool(self.service & self.generator)

    @property
    def generators(self) -> int:
        """How many processes should send."""
        return min(len(self.generator), MAX_GENERATORS)


def split_cores(wanted: int, remote: bool = False) -> Split:
    """Give the service so many cores and the generator the rest; raise NoFreeCore on a machine with a single core.

    Where the service takes all cores, the generator shares the last one.
    """
    cores = sorted(os.sched_getaffinity(0))
    if remote:
        return Split(frozenset(), frozenset(cores))
    if len(cores) < 2:
        raise NoFreeCore(
            "the load generator needs a core that the service does not use, and there is only one: "
            "run it on another machine with --url"
        )
    return Split(frozenset(cores[:wanted]), frozenset(cores[wanted:] or cores[-1:]))


@contextmanager
def running_on(cores: frozenset[int]) -> Iterator[None]:
    """Let what is started meanwhile run on these cores; on any, if there are none."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores or before)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
