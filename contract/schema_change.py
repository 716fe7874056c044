"""A change of schema: who changes first, the service or its callers, what to set meanwhile, and how to go back.

In a rolling update both versions answer, so a change goes well if at every moment whoever calls can call whatever
answers. Either the old callers can call the new service: then it changes first. Or new callers can call the old
service: then they do. UNKNOWN_FIELDS=ignore lets pass what only fails because a field is unknown.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property
from typing import Any, Literal

from ekiben.contract.answers import name_classes
from ekiben.contract.compatibility import Difference, Span, find_differences
from ekiben.contract.schema import Schema, Target

Verdict = Literal["safe", "service first", "clients first", "breaking"]
IGNORE = "UNKNOWN_FIELDS=ignore"
ANY_ORDER = "the service and its callers may change in any order, and go back in any"
UNNAMED = "rows without names (lists, CSV without a header, one tensor of all features) must hold every field: whoever "
UNNAMED += "sends such rows changes with the service, or names the fields before"


class Reach(IntEnum):
    """How well the callers of one schema can call the service of another."""

    WELL = 0
    IGNORED = 1  # if it ignores unknown fields
    NOT = 2


@dataclass(frozen=True)
class SchemaChange:
    """What an old and a new schema mean to each other's callers."""

    by_old_callers: Sequence[Difference]  # that the new service has for callers of the old one
    by_new_callers: Sequence[Difference]
    renamed: bool  # the fields are not the same
    decided: tuple[str, ...] = ()  # how else it decides: each training learns that anew, so it is no difference

    @cached_property
    def verdict(self) -> Verdict:
        """Who has to change first."""
        forward, backward = measure(self.by_old_callers), measure(self.by_new_callers)
        if forward == backward == Reach.WELL:
            return "safe"
        if forward == Reach.NOT == backward:
            return "breaking"
        return "clients first" if backward == Reach.WELL or forward == Reach.NOT else "service first"

    @property
    def steps(self) -> tuple[str, ...]:
        """What is to be done, in this order."""
        if self.verdict == "service first":
            setting = f" with {IGNORE}" if measure(self.by_old_callers) else ""
            unset = "; then roll out the default UNKNOWN_FIELDS=reject" if setting else ""
            return f"roll out the new service{setting}", f"once no old one answers, let callers change{unset}"
        if self.verdict == "clients first":
            before = [f"set {IGNORE} at the old service"] if measure(self.by_new_callers) else []
            return *before, "let all callers change", "then roll out the new service"
        if self.verdict == "breaking":
            return ("serve it beside the old one, under another name, and move callers over one by one",)
        return (ANY_ORDER,)

    @property
    def way_back(self) -> str:
        """How to undo it once it is done."""
        if self.verdict == "service first":
            reach = measure(self.by_new_callers)
            alone = f", or the service at once with {IGNORE}" if reach == Reach.IGNORED else ""
            return f"callers first, then the service{alone}"
        if self.verdict == "clients first":
            kept = f" with {IGNORE}" if measure(self.by_new_callers) else ""
            return f"the service first{kept}, then callers"
        return "callers, one by one" if self.verdict == "breaking" else "in any order"

    @property
    def notes(self) -> tuple[str, ...]:
        """What holds besides."""
        return (*((UNNAMED,) if self.renamed and self.verdict != "breaking" else ()), *self.decided)

    def describe(self) -> dict[str, Any]:
        """Return everything as JSON holds it."""
        return {
            "verdict": self.verdict,
            "old_callers_new_service": [_describe(one) for one in self.by_old_callers],
            "new_callers_old_service": [_describe(one) for one in self.by_new_callers],
            "steps": list(self.steps),
            "way_back": self.way_back,
            "notes": list(self.notes),
        }


def compare_schemas(
    old: Schema, new: Schema, seen: Mapping[str, Span] | None = None, seen_by_new: Mapping[str, Span] | None = None
) -> SchemaChange:
    """Return what becomes of callers; `seen` has what each training saw of a number, if it is known."""
    return SchemaChange(
        find_differences(old, new, seen),
        find_differences(new, old, seen_by_new),
        old.names != new.names,
        tuple(_compare_decisions(old.target, new.target)),
    )


def measure(differences: Sequence[Difference]) -> Reach:
    """Return how well callers for whom there are these differences can call."""
    if not differences:
        return Reach.WELL
    return Reach.IGNORED if all(one.ignorable for one in differences) else Reach.NOT


def _compare_decisions(old: Target, new: Target) -> Iterator[str]:
    """Yield what is another in how labels are made of probabilities, for two targets of the same two classes."""
    if not (old.task == new.task == "binary" and repr(old.classes) == repr(new.classes)):
        return
    if old.threshold != new.threshold:
        yes = name_classes(new)[1]
        levels = f"{yes} from a probability of {new.threshold:g} on, before from {old.threshold:g}"
        yield f"labels change: `{new.name}` is {levels}; whoever reads probabilities notices nothing"
    if old.costs != new.costs:
        yield f"the metric `cost` changes: {_name_costs(new)}, before {_name_costs(old)}"


def _name_costs(target: Target) -> str:
    if target.costs is None:
        return "none is declared"
    return "a false alarm costs {:g} and a miss {:g}".format(*target.costs)


def _describe(difference: Difference) -> dict[str, Any]:
    return {"sentence": difference.sentence, "setting": IGNORE if difference.ignorable else None}
