"""`[features.NAME]` of the problem file: what is said of a feature beforehand."""

from typing import Any, Self

from pydantic import Field, model_validator

from ekiben.contract.feature import Cycle, DecimalMark, Direction, GroupingMark, Kind, Logged
from ekiben.contract.spellings.durations import DURATION
from ekiben.training.source_config import NULL, Entry
from ekiben.training.split_config import FIRST_YEAR, Format

GROUPING = 'the one mark that may part thousands, `""` for none; default: any that is not the decimal mark'


class Declared(Entry):
    """What is said of a feature beforehand; the rest is learned from its column."""

    kind: Kind = Field(description="what the column holds")
    description: str = Field("", description="what it means, for callers and the model card")
    unit: str = Field("", description="of a number; it may stand behind the digits")
    nullable: bool = Field(False, description="callers may send null; default: as in the training rows")
    optional: bool = Field(
        False, description="callers may leave it out: it then is `default`, or null where training has seen that"
    )
    default: float | int | str | bool | None = Field(
        None, description="what it is where callers leave it out, which they then may"
    )
    low: float = Field(0.0, description="least number that callers may send; default: learned, with a margin")
    high: float = Field(0.0, description="greatest number that callers may send; default: learned, with a margin")
    monotone: Direction | None = Field(
        None, description="`up`: as the number grows and all else stays, the answer never falls; `down`: never rises"
    )
    cycles: tuple[Cycle, ...] = Field((), description="of a timestamp: what the network sees of it; default: all")
    zoned: bool = Field(False, description="each timestamp has a UTC offset")
    decimal: DecimalMark = Field(".", description="decimal mark of a number; default: that of `[source]`")
    grouping: GroupingMark | None = Field(None, description=GROUPING)
    null: tuple[str, ...] = Field((), description=NULL)
    format: Format = Field("", description="how timestamps are written; of a number, `duration`")
    first_year: int | None = Field(None, description=FIRST_YEAR)
    log: Logged = Field("", description="how the service's row log keeps it: as it came, hashed, or not at all")

    @model_validator(mode="after")
    def check_spelling(self) -> Self:
        """Reject a format that nothing can be written in, and marks that mean two things."""
        fits = {"timestamp": True, "number": self.format in ("", DURATION)}.get(self.kind, not self.format)
        if not fits:
            raise ValueError(f'only a timestamp has the format {self.format!r}; a number may have "{DURATION}"')
        if self.grouping == self.decimal:
            raise ValueError(f"{self.decimal!r} can't be the decimal mark and part thousands")
        return self

    @model_validator(mode="after")
    def check_monotone(self) -> Self:
        """Reject a direction of what doesn't grow."""
        if self.monotone and self.kind != "number":
            raise ValueError(f"only a number grows: a {self.kind} can't be monotone; leave it out")
        return self

    def facts(self) -> dict[str, Any]:
        """Return what is said, and only that."""
        return self.model_dump(exclude_unset=True)
