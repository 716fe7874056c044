"""Which of two schemas has to change first, its service or its callers, so that at every moment all are answered?

While a version takes another's place, callers of the old one call the new one; and if callers change first, new ones
call the old one. What a schema's callers send, the other has to accept, read as the same, and answer in the same form.
Both ways are compared by the same rules, as `caller` and `service`. What only warns, such as a category's value that
training has not seen, is no difference. Ranges differ with every training, by what its table held: a service has to
hold what its callers' training saw (`seen`), not the margin around it as well.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ekiben.contract.feature import COUNTS, NULL_SPELLINGS, Category, Feature, Number, Timestamp
from ekiben.contract.misspelling import find_misspelt
from ekiben.contract.reference.bins import NumberBins
from ekiben.contract.reference.reference import Reference
from ekiben.contract.schema import Schema, Target
from ekiben.contract.spellings.moments import is_iso_read
from ekiben.contract.validation import show, to_float32

ISO = "ISO 8601"
Span = tuple[float, float]  # the least and the greatest number


@dataclass(frozen=True, slots=True)
class Difference:
    """A reason for which callers of one schema can't call the service of another."""

    sentence: str
    ignorable: bool = False  # they can where UNKNOWN_FIELDS=ignore is set

    def __str__(self) -> str:
        return self.sentence


def find_differences(caller: Schema, service: Schema, seen: Mapping[str, Span] | None = None) -> list[Difference]:
    """Return each reason for which the callers of one schema can't call another's service; none if they can.

    `seen` has what callers send of a number, if it is known; else they may send all of their range.
    """
    return [
        *_compare_names(caller, service),
        *map(Difference, _compare_features(caller, service, seen or {})),
        *map(Difference, _compare_targets(caller.target, service.target)),
    ]


def read_spans(reference: Reference) -> dict[str, Span]:
    """Return what training saw of each number."""
    return {
        distribution.column: (float(distribution.span[0]), float(distribution.span[1]))
        for distribution in reference.distributions
        if distribution.span and isinstance(distribution.bins, NumberBins)
    }


def _compare_names(caller: Schema, service: Schema) -> Iterator[Difference]:
    if caller.name != service.name:
        yield Difference(f"it is a model of `{service.name}`, callers ask for `{caller.name}`")
    added = [feature for feature in service.features if feature.name not in caller.names]
    for feature in added:
        if not feature.optional:
            yield Difference(f"`{feature.name}` is required, callers don't send it")
    removed = [name for name in caller.names if name not in service.names]
    left_out = {feature.name for feature in caller.features if feature.optional}
    absent = [one.name for one in service.features if one.optional and one.name not in {*caller.names} - left_out]
    misspelt = find_misspelt(removed, absent)
    for name in removed:
        taken = "; it is spelt nearly as an optional one, and is taken for that" if name == misspelt else ""
        yield Difference(f"`{name}` is an unknown field, callers send it{taken}", ignorable=not misspelt)
    if len(caller.names) == len(service.names) and caller.names != service.names and not removed:
        yield Difference("the features are in another order: rows without names would be read wrongly")


def _compare_features(caller: Schema, service: Schema, seen: Mapping[str, Span]) -> Iterator[str]:
    known = {feature.name: feature for feature in service.features}
    for before in caller.features:
        now = known.get(before.name)
        if now is None:
            continue
        if now.kind != before.kind:
            yield f"`{now.name}` is a {now.kind}, callers send a {before.kind}"
            continue
        yield from (f"`{now.name}` {difference}" for difference in _compare_values(before, now, seen))


def _compare_values(caller: Feature, service: Feature, seen: Mapping[str, Span]) -> Iterator[str]:
    if caller.nullable and not service.nullable:
        yield "may not be null, callers may send that"
    yield from _compare_absence(caller, service)
    yield from _compare_markers(caller, service)
    if isinstance(caller, Number) and isinstance(service, Number):
        yield from _compare_numbers(caller, service, seen.get(caller.name, (caller.low, caller.high)))
    elif isinstance(caller, Category) and isinstance(service, Category):
        if caller.integers and not service.integers:
            yield "takes strings only, callers may send whole numbers"
    elif isinstance(caller, Timestamp) and isinstance(service, Timestamp):
        yield from _compare_moments(caller, service)


def _compare_absence(caller: Feature, service: Feature) -> Iterator[str]:
    """Compare what becomes of a field that callers leave out."""
    if caller.optional and not service.optional:
        yield "is required, callers may leave it out"
    elif caller.optional and repr(caller.default) != repr(service.default):  # True is 1 to Python
        yield f"is {show(service.default)} where callers leave it out, they mean {show(caller.default)}"


def _compare_markers(caller: Feature, service: Feature) -> Iterator[str]:
    """Compare what stands for missing in a cell or a tensor."""
    theirs, ours = set(caller.null) - NULL_SPELLINGS, set(service.null) - NULL_SPELLINGS
    gone, added = theirs - ours, ours - theirs
    if gone and caller.nullable:
        yield f"has {', '.join(map(repr, sorted(gone)))} as a value, callers mean missing"
    if added:
        yield f"has {', '.join(map(repr, sorted(added)))} for missing, callers mean a value"


def _compare_numbers(caller: Number, service: Number, seen: Span) -> Iterator[str]:
    least, greatest = max(seen[0], caller.low), min(seen[1], caller.high)
    if to_float32(service.low) > to_float32(least) or to_float32(service.high) < to_float32(greatest):
        yield f"takes {service.low:g} to {service.high:g}, callers send {least:g} to {greatest:g}"
    if caller.unit and service.unit != caller.unit:
        yield f"is in {service.unit or 'no unit'}, callers send {caller.unit}"
    if service.decimal != caller.decimal:
        yield f"has the decimal mark {service.decimal} in strings, callers write {caller.decimal}"
    elif service.grouping != caller.grouping and service.grouping is not None and caller.grouping != "":
        yield f"has {_name(service.grouping)} between thousands in strings, callers write {_name(caller.grouping)}"
    if caller.format and service.format != caller.format:
        yield f"is not read as a {caller.format}, callers send one"


def _compare_moments(caller: Timestamp, service: Timestamp) -> Iterator[str]:
    if caller.zoned != service.zoned:
        sent = "one" if caller.zoned else "none"
        yield f"{'needs a' if service.zoned else 'takes no'} UTC offset, callers send {sent}"
    if service.format != caller.format and (
        caller.format or service.format in COUNTS or not is_iso_read(service.format)
    ):
        yield f"is written as {service.format or ISO}, callers write {caller.format or ISO}"
    elif "%y" in caller.format and caller.first_year != service.first_year:
        yield "is in another century where its year has two digits"


def _compare_targets(caller: Target, service: Target) -> Iterator[str]:
    for what in ("name", "task", "unit"):
        read, now = getattr(caller, what), getattr(service, what)
        if now != read:
            yield f"the answers' {what} is {now or 'none'}, callers read {read or 'none'}"
    if caller.task == service.task and list(map(repr, caller.classes)) != list(map(repr, service.classes)):
        yield f"the classes are {_list(service)}, callers read {_list(caller)}"


def _list(target: Target) -> str:
    return ", ".join(map(show, target.classes))


def _name(mark: str | None) -> str:
    return "any mark" if mark is None else repr(mark) if mark else "nothing"
