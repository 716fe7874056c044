"""One link of the chain: what it is, what was found to be right or wrong of it, and what it leads to."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

SHORT = 12  # digits of a digest that tell two apart


@dataclass(frozen=True)
class Link:
    """Something in the chain. Facts were checked; what could not be checked is open; faults break the chain."""

    kind: str
    name: str
    facts: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()
    open: tuple[str, ...] = ()
    links: tuple["Link", ...] = ()

    @property
    def verdict(self) -> str:
        """What is to be said of this link alone: sound, open or broken."""
        return "broken" if self.faults else "open" if self.open else "sound"

    def walk(self) -> Iterator["Link"]:
        """Yield this link and all below it."""
        yield self
        for link in self.links:
            yield from link.walk()

    def describe(self) -> dict[str, Any]:
        """Return the tree as JSON."""
        own = {name: value for name, value in asdict(self).items() if name != "links"}
        return {**own, "verdict": self.verdict, "links": [link.describe() for link in self.links]}


@dataclass
class Findings:
    """Collects what is found of one link."""

    facts: list[str]
    faults: list[str]
    open: list[str]

    @classmethod
    def begin(cls, *facts: str) -> "Findings":
        """Begin with what needs no check."""
        return cls(list(facts), [], [])

    def check(self, holds: bool, fact: str, fault: str) -> bool:
        """Note the fact, or the fault if it does not hold."""
        (self.facts if holds else self.faults).append(fact if holds else fault)
        return holds

    def close(self, kind: str, name: str, links: Sequence[Link] = ()) -> Link:
        """Return the link."""
        return Link(kind, name, tuple(filter(None, self.facts)), tuple(self.faults), tuple(self.open), tuple(links))


def shorten_digest(digest: str | None) -> str:
    """Return the beginning of a digest."""
    return (digest or "none")[:SHORT]
