"""What is known of two models on the same rows, in counts and sums: they add up over workers and replicas.

A part belongs to the one process that counted it, and only grows. So a part that is in two comparisons is known again,
and counts once, as the later one has it.
"""

from collections.abc import Mapping
from typing import Literal

from pydantic import Field, FiniteFloat, ValidationError

from ekiben.contract.comparison.parts import Part, sum_parts
from ekiben.contract.errors import UserError
from ekiben.contract.faults import describe_fault
from ekiben.contract.reference.bins import Frozen
from ekiben.contract.schema import Target
from ekiben.contract.text_lines import printable


class InvalidComparison(UserError):
    """A comparison is damaged, or doesn't go with the others."""


class Version(Frozen):
    """A packed model."""

    version: str
    digest: str  # its manifest's SHA-256, in hexadecimal


class Comparison(Frozen):
    """The parts of all processes that compare the same two models."""

    kind: Literal["ekiben comparison"] = "ekiben comparison"
    model: str
    target: Target
    champion: Version
    challenger: Version
    edges: tuple[FiniteFloat, ...] = Field(min_length=1)
    slices: dict[str, tuple[str, ...]]  # the names of each feature's slices
    parts: tuple[Part, ...]
    summary: dict[str, object] = Field(default_factory=dict)  # for whom reads it; it follows from the rest

    @property
    def identity(self) -> tuple[object, ...]:
        """What two comparisons that add up have in common."""
        return self.model, self.champion.digest, self.challenger.digest, self.edges, sorted(self.slices.items())

    def add_up(self) -> Part:
        """Return all parts as one; raise InvalidComparison if the sums are beyond what a part can hold."""
        try:
            return sum_parts(self.parts, len(self.edges) + 1, {name: len(names) for name, names in self.slices.items()})
        except ValidationError:
            sentence = f"the counts of {_describe(self)} add up to more than any service counts: save them again"
            raise InvalidComparison(printable(sentence)) from None


def merge_comparisons(comparisons: Mapping[str, Comparison]) -> Comparison:
    """Return the parts of all comparisons, by what they are called, each part once.

    Raises InvalidComparison if they are not of the same two models.
    """
    (name, first), *others = comparisons.items()
    for other, comparison in others:
        if comparison.identity != first.identity:
            found = f"{name} compares {_describe(first)}, {other} {_describe(comparison)}"
            raise InvalidComparison(printable(f"{found}: only comparisons of the same two versions add up"))
    parts: dict[str, Part] = {}
    for part in (part for comparison in comparisons.values() for part in comparison.parts):
        if part.source not in parts or part.weight > parts[part.source].weight:
            parts[part.source] = part
    return first.model_copy(update={"parts": tuple(parts.values()), "summary": {}})


def parse_comparison(content: bytes, source: str) -> Comparison:
    """Return the comparison that JSON holds; raise InvalidComparison, naming its source, if it holds none."""
    try:
        comparison = Comparison.model_validate_json(content)
    except ValidationError as error:
        sentence = (
            f"{source} is not a comparison of `GET /monitoring/challenger` ({describe_fault(error)}): save it again"
        )
        raise InvalidComparison(printable(sentence)) from None
    sizes = {name: len(names) for name, names in comparison.slices.items()}
    for part in comparison.parts:
        counts = [len(one) for counted in part.slices.values() for one in (counted.rows, counted.disagreed)]
        wanted = [size for name in part.slices for size in 2 * [sizes.get(name, -1)]]
        if len(part.differences) != len(comparison.edges) + 1 or counts != wanted:
            raise InvalidComparison(f"{source}: counts are not those of its bins and slices: save it again")
    if not comparison.parts:
        raise InvalidComparison(f"{source} holds no part: save it again")
    return comparison


def _describe(comparison: Comparison) -> str:
    return f"{comparison.model} {comparison.champion.version} with {comparison.challenger.version}"
