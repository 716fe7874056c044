"""What services saw, in counts: a snapshot, which adds up with others of the same model.

A window belongs to the one process that counted it. So a window that is in two snapshots of that process is known again
and counts once, as the later one has it.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Literal, Self

from pydantic import Field, ValidationError, model_validator

from ekiben.contract.errors import UserError
from ekiben.contract.faults import describe_fault
from ekiben.contract.reference.bins import Frozen
from ekiben.contract.reference.counting import ByName
from ekiben.contract.reference.reference import Distribution, Reference
from ekiben.contract.text_lines import printable

Span = Literal["minutes", "hours", "days"]
LENGTHS: Mapping[Span, timedelta] = {
    "minutes": timedelta(minutes=5),
    "hours": timedelta(hours=1),
    "days": timedelta(days=1),
}


class InvalidSnapshot(UserError):
    """A snapshot is damaged, or doesn't go with the others."""


class Window(Frozen):
    """What one process saw in one stretch of time; each feature's counts are those of its reference's bins."""

    source: str  # the process
    start: datetime
    rows: int = Field(ge=0)  # answered
    counted: int = Field(ge=0)  # of them; fewer where the service was too busy, each then stands for several
    # Values that don't fit the schema, by field; "" holds all that is no field's.
    rejected: dict[str, int] = Field(default_factory=dict)
    features: ByName
    answers: ByName
    sums: ByName = Field(default_factory=dict)  # what alarms need besides; older services have none


class Snapshot(Frozen):
    """Windows of one model."""

    kind: Literal["ekiben monitoring"] = "ekiben monitoring"
    model: str
    version: str
    reference: str  # the SHA-256 of its file, in hexadecimal
    span: Span
    windows: tuple[Window, ...]

    @model_validator(mode="after")
    def check_times(self) -> Self:
        """Reject windows without a UTC offset: those of two machines could not be compared."""
        if any(window.start.tzinfo is None for window in self.windows):
            raise ValueError("a window's start has no UTC offset")
        return self

    @property
    def rows(self) -> int:
        """The rows answered in all windows."""
        return sum(window.rows for window in self.windows)

    @property
    def counted(self) -> int:
        """The rows counted in all windows."""
        return sum(window.counted for window in self.windows)

    @property
    def rejected(self) -> dict[str, int]:
        """The rejected values of all windows, by field."""
        total: dict[str, int] = {}
        for window in self.windows:
            for field, count in window.rejected.items():
                total[field] = total.get(field, 0) + count
        return total

    def add_up(self, distribution: Distribution, kind: Literal["features", "answers"] = "features") -> tuple[int, ...]:
        """Return the counts of a feature or kind of answer in all windows; zeros if it stands in none."""
        none = (0,) * len(distribution.counts)
        kept = [getattr(window, kind).get(distribution.name, none) for window in self.windows]
        return tuple(map(sum, zip(none, *kept, strict=True)))

    def check(self, reference: Reference, source: str) -> None:
        """Raise InvalidSnapshot if its counts are not those of the reference's bins."""
        features = {one.name: len(one.counts) for one in reference.distinct}
        answers = {one.name: len(one.counts) for one in reference.answers}
        for window in self.windows:
            for sizes, counted in ((features, window.features), (answers, window.answers)):
                for name, counts in counted.items():
                    if sizes.get(name) != len(counts) or min(counts) < 0:
                        said = f"the counts of {name!r} are not those of the reference's bins"
                        raise InvalidSnapshot(f"{source}: {said}")
            for name, sums in window.sums.items():
                if reference.alarms and len(sums) != reference.alarms.count_sums().get(name):
                    raise InvalidSnapshot(f"{source}: the sums of {name!r} are not those of the reference's alarms")


def parse_snapshot(content: bytes, source: str) -> Snapshot:
    """Return the snapshot that JSON holds; raise InvalidSnapshot, naming its source, if it holds none."""
    try:
        return Snapshot.model_validate_json(content)
    except ValidationError as error:
        sentence = f"{source} is not a snapshot of `GET /monitoring` ({describe_fault(error)}): save it again"
        raise InvalidSnapshot(printable(sentence)) from None


def merge_snapshots(snapshots: Mapping[str, Snapshot]) -> Snapshot:
    """Return the windows of all snapshots, by what they are called, each window once.

    Raises InvalidSnapshot if they are of several models, or of one process in windows of several lengths.
    """
    (name, first), *others = snapshots.items()
    for other, snapshot in others:
        if (snapshot.model, snapshot.reference) != (first.model, first.reference):
            found = f"{name} is of {first.model} {first.version}, {other} of {snapshot.model} {snapshot.version}"
            raise InvalidSnapshot(printable(f"{found}: only snapshots of one model add up"))
        if snapshot.span != first.span:
            raise InvalidSnapshot(
                f"{name} has {first.span}, {other} has {snapshot.span}: take both from the same address, "
                "or rows would count twice"
            )
    latest: dict[tuple[str, datetime], Window] = {}
    for snapshot in snapshots.values():
        for window in snapshot.windows:
            known = latest.get((window.source, window.start))
            if known is None or window.rows >= known.rows:
                latest[window.source, window.start] = window
    windows = sorted(latest.values(), key=lambda window: (window.start, window.source))
    return first.model_copy(update={"windows": tuple(windows)})
