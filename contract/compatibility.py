"""Would a new schema reject, or misread, what callers of the old one send, or give them what they can't read?

A model may take another's place while callers call on. What they send was written for the old schema: the new one must
accept all that the old one accepts, read it as the same, and answer in the same form. What only warns, such as a
category's value that training has not seen, is no difference. Ranges differ with every training, by what its table
held: the new one has to hold what the old training saw (`seen`), not the margin around it as well.
"""

from collections.abc import Iterator, Mapping

from ekiben.contract.feature import COUNTS, NULL_SPELLINGS, Category, Feature, Number, Timestamp
from ekiben.contract.reference.bins import NumberBins
from ekiben.contract.reference.reference import Reference
from ekiben.contract.schema import Schema, Target
from ekiben.contract.spellings.moments import is_iso_read
from ekiben.contract.validation import show, to_float32

ISO = "ISO 8601"
Span = tuple[float, float]  # the least and the greatest number


def find_differences(old: Schema, new: Schema, seen: Mapping[str, Span] | None = None) -> list[str]:
    """Return a sentence for each reason for which the old schema's callers can't call the new one; none if they can.

    `seen` has what callers send of a number, if it is known; else they may send all of the old range.
    """
    return [
        *_compare_names(old, new),
        *_compare_features(old, new, seen or {}),
        *_compare_targets(old.target, new.target),
    ]


def read_spans(reference: Reference) -> dict[str, Span]:
    """Return what training saw of each number."""
    return {
        distribution.column: (float(distribution.span[0]), float(distribution.span[1]))
        for distribution in reference.distributions
        if distribution.span and isinstance(distribution.bins, NumberBins)
    }


def _compare_names(old: Schema, new: Schema) -> Iterator[str]:
    if old.name != new.name:
        yield f"it is a model of `{new.name}`, callers ask for `{old.name}`"
    for name in new.names:
        if name not in old.names:
            yield f"`{name}` is required, callers don't send it"
    for name in old.names:
        if name not in new.names:
            yield f"`{name}` is an unknown field, callers send it"
    if old.names != new.names and sorted(old.names) == sorted(new.names):
        yield "the features are in another order: rows without names would be read wrongly"


def _compare_features(old: Schema, new: Schema, seen: Mapping[str, Span]) -> Iterator[str]:
    known = {feature.name: feature for feature in new.features}
    for before in old.features:
        now = known.get(before.name)
        if now is None:
            continue
        if now.kind != before.kind:
            yield f"`{now.name}` is a {now.kind}, it was a {before.kind}"
            continue
        yield from (f"`{now.name}` {difference}" for difference in _compare_values(before, now, seen))


def _compare_values(old: Feature, new: Feature, seen: Mapping[str, Span]) -> Iterator[str]:
    if old.nullable and not new.nullable:
        yield "is required, null was allowed"
    yield from _compare_markers(old, new)
    if isinstance(old, Number) and isinstance(new, Number):
        yield from _compare_numbers(old, new, seen.get(old.name, (old.low, old.high)))
    elif isinstance(old, Category) and isinstance(new, Category):
        if old.integers and not new.integers:
            yield "takes strings only, whole numbers were allowed"
    elif isinstance(old, Timestamp) and isinstance(new, Timestamp):
        yield from _compare_moments(old, new)


def _compare_markers(old: Feature, new: Feature) -> Iterator[str]:
    """Compare what stands for missing in a cell or a tensor."""
    gone, added = set(old.null) - set(new.null) - NULL_SPELLINGS, set(new.null) - set(old.null) - NULL_SPELLINGS
    if gone and old.nullable:
        yield f"has {', '.join(map(repr, sorted(gone)))} as a value, it stood for missing"
    if added:
        yield f"has {', '.join(map(repr, sorted(added)))} for missing, it was a value"


def _compare_numbers(old: Number, new: Number, seen: Span) -> Iterator[str]:
    least, greatest = max(seen[0], old.low), min(seen[1], old.high)
    if to_float32(new.low) > to_float32(least) or to_float32(new.high) < to_float32(greatest):
        yield f"takes {new.low:g} to {new.high:g}, callers send {least:g} to {greatest:g}"
    if old.unit and new.unit != old.unit:
        yield f"is in {new.unit or 'no unit'}, it was in {old.unit}"
    if new.decimal != old.decimal:
        yield f"has the decimal mark {new.decimal} in strings, it had {old.decimal}"
    elif new.grouping != old.grouping and new.grouping is not None and old.grouping != "":
        yield f"has {_name(new.grouping)} between thousands in strings, it had {_name(old.grouping)}"
    if old.format and new.format != old.format:
        yield f"is not read as a {old.format}, it was"


def _compare_moments(old: Timestamp, new: Timestamp) -> Iterator[str]:
    if old.zoned != new.zoned:
        yield f"{'needs' if new.zoned else 'takes no'} UTC offset, it {'needed one' if old.zoned else 'took none'}"
    if new.format != old.format and (old.format or new.format in COUNTS or not is_iso_read(new.format)):
        yield f"is written as {new.format or ISO}, it was as {old.format or ISO}"
    elif "%y" in old.format and old.first_year != new.first_year:
        yield "is in another century where its year has two digits"


def _compare_targets(old: Target, new: Target) -> Iterator[str]:
    for what in ("name", "task", "unit"):
        before, now = getattr(old, what), getattr(new, what)
        if now != before:
            yield f"the answers' {what} is {now or 'none'}, it was {before or 'none'}"
    if old.task == new.task and list(map(repr, old.classes)) != list(map(repr, new.classes)):  # True is 1 to Python
        yield f"the classes are {_list(new)}, they were {_list(old)}"


def _list(target: Target) -> str:
    return ", ".join(map(show, target.classes))


def _name(mark: str | None) -> str:
    return "any mark" if mark is None else repr(mark) if mark else "nothing"
