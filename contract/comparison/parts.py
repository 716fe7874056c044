"""What one process knows of two models on the same rows, in counts and sums, which add up."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

from pydantic import AwareDatetime, Field, FiniteFloat

from ekiben.contract.comparison.evidence import BOUNDS, Evidence, add_up
from ekiben.contract.reference.bins import Frozen

MAX_COUNT, MAX_SUM = 2**63, 2**128  # beyond any service; a float holds them
Count = Annotated[int, Field(ge=0, le=MAX_COUNT)]
Sum = Annotated[int, Field(ge=0, le=MAX_SUM)]
Reason = Literal["waiting", "rejected", "unknown", "failed"]
DROPPED: Mapping[Reason, str] = {
    "waiting": "no idle time to score them in",
    "rejected": "the challenger's schema rejects them",
    "unknown": "they hold values that only the challenger's vocabulary has, which the champion's rows don't show",
    "failed": "the challenger's engine failed, or gave no finite answer",
}


class Timing(Frozen):
    """What an engine took for rows, in batches of its own."""

    rows: Count = 0
    batches: Count = 0
    seconds: FiniteFloat = Field(0.0, ge=0, le=MAX_COUNT)

    @property
    def row_us(self) -> float:
        """The mean time a row, in microseconds."""
        return 1e6 * self.seconds / self.rows if self.rows else 0.0

    @property
    def batch_rows(self) -> float:
        """The mean rows of a batch."""
        return self.rows / self.batches if self.batches else 0.0


class SliceCount(Frozen):
    """The rows of each of a feature's slices, and those to which both models give different labels."""

    rows: tuple[Count, ...]
    disagreed: tuple[Count, ...]


NONE = Field((0,) * len(BOUNDS), min_length=len(BOUNDS), max_length=len(BOUNDS))


class LabelCount(Frozen):
    """What became of the labels, and what they say; sums are whole numbers of `losses.STEPS`."""

    received: Count = 0  # as often as they were sent: one that goes to two replicas comes twice
    repeated: Count = 0  # of an id that had a label from an earlier request: that one counts
    loss: Sum = 0  # the champion's
    gained: int = Field(0, ge=-MAX_SUM, le=MAX_SUM)  # by how much the challenger's was smaller
    rows: tuple[Count, ...] = NONE
    squares: tuple[Sum, ...] = NONE

    @property
    def evidence(self) -> Evidence:
        """What they say."""
        return Evidence(self.rows, self.gained, self.squares)


class Part(Frozen):
    """What one process compared."""

    source: str  # the process
    since: AwareDatetime
    until: AwareDatetime
    answered: Count = 0  # rows that the champion answered
    compared: Count = 0
    dropped: dict[Reason, Count] = Field(default_factory=dict)
    differences: tuple[Count, ...]  # rows in each bin of the histogram
    disagreed: Count = 0
    slices: dict[str, SliceCount] = Field(default_factory=dict)
    champion: Timing = Timing()
    challenger: Timing = Timing()
    labels: LabelCount = LabelCount()

    @property
    def weight(self) -> int:
        """What only grows: the later of two states of a part has more."""
        return self.answered + self.compared + self.labels.received + sum(self.labels.rows)


def sum_parts(parts: Sequence[Part], bins: int, slices: Mapping[str, int]) -> Part:
    """Return parts as one."""
    evidence = add_up([part.labels.evidence for part in parts])
    labels = LabelCount(
        received=sum(part.labels.received for part in parts),
        repeated=sum(part.labels.repeated for part in parts),
        loss=sum(part.labels.loss for part in parts),
        gained=evidence.gained, rows=evidence.rows, squares=evidence.squares,
    )  # fmt: skip
    return Part(
        source="all",
        since=min(part.since for part in parts),
        until=max(part.until for part in parts),
        answered=sum(part.answered for part in parts),
        compared=sum(part.compared for part in parts),
        dropped={one: sum(part.dropped.get(one, 0) for part in parts) for one in DROPPED},
        differences=_add([part.differences for part in parts], bins),
        disagreed=sum(part.disagreed for part in parts),
        slices={
            name: SliceCount(
                rows=_add([part.slices[name].rows for part in parts if name in part.slices], size),
                disagreed=_add([part.slices[name].disagreed for part in parts if name in part.slices], size),
            )
            for name, size in slices.items()
        },
        champion=_add_timings([part.champion for part in parts]),
        challenger=_add_timings([part.challenger for part in parts]),
        labels=labels,
    )


def _add(counts: list[tuple[int, ...]], size: int) -> tuple[int, ...]:
    return tuple(map(sum, zip((0,) * size, *counts, strict=True)))


def _add_timings(timings: list[Timing]) -> Timing:
    return Timing(
        rows=sum(one.rows for one in timings),
        batches=sum(one.batches for one in timings),
        seconds=sum(one.seconds for one in timings),
    )
