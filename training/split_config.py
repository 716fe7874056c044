"""What a problem file says of how its rows are split."""

from datetime import date
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from ekiben.contract.spellings.formats import find_fault
from ekiben.training.source_config import NULL, Entry

TEST_SHARE = VALIDATION_SHARE = 0.15
FIRST_YEAR = "years of two digits are in the hundred that begin with this one"


def check_format(format: str) -> str:
    """Return a format of timestamps; raise ValueError naming the directive that nothing reads.

    Text without a % is no such format: what it is, is decided elsewhere.
    """
    if fault := find_fault(format):
        raise ValueError(fault)
    return format


PARTS = ("year", "month", "day", "hour", "minute")  # of a moment that several columns hold


def check_time(time: Any) -> Any:
    """Return one column or several; raise ValueError if it is neither: of a union pydantic would name every part."""
    if isinstance(time, list | tuple):
        if not 1 <= len(time) <= len(PARTS) or not all(isinstance(name, str) for name in time):
            raise ValueError("expected a column, or those of year, month, day, hour and minute, from the year on")
        return tuple(time)
    if time is not None and not isinstance(time, str):
        raise ValueError("input should be a valid string")
    return time


Time = Annotated[str | tuple[str, ...], BeforeValidator(check_time)]
Format = Annotated[str, AfterValidator(check_format)]


class Split(Entry):
    """How the rows are cut into those to train on, to validate on and to test on.

    With `time` in its order: at two dates, or the last shares of the rows. Without, at random. With `group` rows of one
    value are all in one part; by time a group keeps the rows of the part that has most of them, of as many the later.
    """

    time: Time | None = Field(
        None,
        description="column of timestamps to split by, or columns with its year, month, day, hour and minute, as far "
        "as there are such; default: at random",
    )
    format: Format = Field("", description="how it is written, if it is not a feature")
    zoned: bool = Field(False, description="each of its timestamps has a UTC offset")
    first_year: int | None = Field(None, description=FIRST_YEAR)
    null: tuple[str, ...] = Field((), description=NULL)
    validate_from: date | None = Field(None, description="rows from this day on are validated on")
    test_from: date | None = Field(None, description="rows from this day on are tested on")
    validation: float = Field(VALIDATION_SHARE, gt=0, lt=0.5, description="share of the rows, without dates")
    test: float = Field(TEST_SHARE, gt=0, lt=0.5, description="share of the rows, without dates")

    group: str | None = Field(None, description="column whose rows of one value stay together, such as a customer's")

    @model_validator(mode="after")
    def check_dates(self) -> Self:
        """Reject one date without the other, and dates without a column to find them in."""
        dates = (self.validate_from, self.test_from)
        if (dates[0] is None) != (dates[1] is None) or (any(dates) and not self.time):
            raise ValueError("validate_from, test_from and time go together")
        return self

    @model_validator(mode="after")
    def check_parts(self) -> Self:
        """Reject how one column would be written, and a column that would be two parts of a moment."""
        if isinstance(self.time, str) or self.time is None:
            return self
        if self.format or self.zoned or self.first_year is not None:
            raise ValueError("format, zoned and first_year are of one column of timestamps, not of year, month and day")
        if len(set(self.time)) < len(self.time):
            raise ValueError("time: a column stands there twice: expected those of year, month, day, hour and minute")
        return self

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the source that hold the time of each row."""
        return (self.time,) if isinstance(self.time, str) else self.time or ()

    @property
    def moment(self) -> str | None:
        """The column of what was read that holds the time of each row."""
        return self.time if isinstance(self.time, str) or self.time is None else "-".join(self.time)
