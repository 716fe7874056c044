"""By which column's order to cut the table into training, validation and test rows."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ekiben.contract.errors import InvalidTable
from ekiben.training.proposal.cycles import ALL_CYCLES
from ekiben.training.proposal.features import Feature, with_remark
from ekiben.training.proposal.time_parts import Parts

SECONDS_PER_YEAR = 365.25 * 86_400
SPELLED = ("format", "zoned", "first_year", "null")
_OF_BIRTH = re.compile(r"birth|born|dob(?![a-z])", re.IGNORECASE)

Classified = Mapping[str, Feature | str]  # column → the feature it could be, or why it can be none


@dataclass(frozen=True)
class ProposedSplit:
    """The column with the time of each row, or those with its parts, None to cut at random, and why."""

    time: str | Parts | None
    remark: str
    facts: Mapping[str, Any] = field(default_factory=dict)  # how the time is written, if it is not a feature
    groups: Mapping[str, str] = field(default_factory=dict)  # columns that might be kept together, and the question

    @property
    def title(self) -> str:
        """What to call the time."""
        return self.time if isinstance(self.time, str) else ", ".join(self.time or ())


def choose_split(
    time: str | None, classified: Classified, parts: Sequence[Parts], agree: Callable[[str, str], bool]
) -> ProposedSplit:
    """Return the column named, or one by which the table is sorted, or the only one with dates, or their parts.

    `agree` tells whether two columns put the rows in one order, `parts` are from `find_time_parts`. Raises
    InvalidTable if the column named holds no dates.
    """
    if time is not None:
        _check_time(time, classified.get(time))
        return ProposedSplit(time, "")
    dated = [name for name, found in classified.items() if _is_time(name, found)]
    in_order = [name for name in dated if _is_in_order(classified[name])]
    if in_order:
        return ProposedSplit(in_order[0], "the rows are in its order")
    if len(dated) == 1:
        return ProposedSplit(dated[0], "the only column that says when")
    if dated and all(agree(dated[0], other) for other in dated[1:]):
        return ProposedSplit(dated[0], f"{', '.join(dated[1:])} would put the rows in the same order")
    if dated:
        return ProposedSplit(
            None, f"more than one column says when ({', '.join(dated)}): --time names the one to split by"
        )
    if len(parts) == 1:
        return ProposedSplit(parts[0], "no other column says when")
    if parts:
        told = "; ".join(", ".join(each) for each in parts)
        return ProposedSplit(None, f"more than one year says when ({told}): [split] time names the columns to split by")
    return ProposedSplit(None, "no column says when")


def adapt_cycles(features: Mapping[str, Feature], split: ProposedSplit) -> dict[str, Feature]:
    """Return the features, the time of the split without a day of the year if the table has not seen two years.

    The test rows are then from a part of the year that no training row is from.
    """
    found = dict(features)
    feature = found.get(split.time) if isinstance(split.time, str) else None
    if feature and feature.reading and (feature.reading.high or 0) - (feature.reading.low or 0) < 2 * SECONDS_PER_YEAR:
        cycles = [cycle for cycle in feature.facts.get("cycles", ALL_CYCLES) if cycle != "day_of_year"]
        if not cycles and len(found) == 1:
            return found  # there is nothing else to learn from
        found[str(split.time)] = replace(
            with_remark(feature, "less than 2 years: no day of the year"),
            facts={**feature.facts, "cycles": cycles},
            doubt=feature.doubt,
        )
    return found


def spell_split(split: ProposedSplit, found: Mapping[str, Feature], kept: Mapping[str, Feature]) -> ProposedSplit:
    """Return the split, with how its time is written where that is not a feature, which would say it."""
    if not isinstance(split.time, str) or split.time in kept:
        return split
    facts = found[split.time].facts
    return replace(split, facts={name: facts[name] for name in SPELLED if name in facts})


def _is_time(name: str, found: Feature | str) -> bool:
    if isinstance(found, str) or _OF_BIRTH.search(name):
        return False
    return found.says_when


def _is_in_order(feature: Feature | str) -> bool:
    return not isinstance(feature, str) and feature.reading is not None and feature.reading.is_in_order


def _check_time(time: str, found: Feature | str | None) -> None:
    if found is None:
        raise InvalidTable(f"`{time}` is the target: the rows can't be split by it")
    if isinstance(found, str):
        raise InvalidTable(f"the rows can't be split by `{time}`: {found}")
    if found.facts["kind"] != "timestamp":
        raise InvalidTable(f"the rows can't be split by `{time}`: it is a {found.facts['kind']}, not a timestamp")
