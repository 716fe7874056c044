"""What a problem file says of how its rows are split."""

from datetime import date
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

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


Format = Annotated[str, AfterValidator(check_format)]


class Split(Entry):
    """How the rows are cut into those to train on, to validate on and to test on.

    With `time` in its order: at two dates, or the last shares of the rows. Without, at random.
    """

    time: str | None = Field(None, description="column of timestamps to split by; default: at random")
    format: Format = Field("", description="how it is written, if it is not a feature")
    zoned: bool = Field(False, description="each of its timestamps has a UTC offset")
    first_year: int | None = Field(None, description=FIRST_YEAR)
    null: tuple[str, ...] = Field((), description=NULL)
    validate_from: date | None = Field(None, description="rows from this day on are validated on")
    test_from: date | None = Field(None, description="rows from this day on are tested on")
    validation: float = Field(VALIDATION_SHARE, gt=0, lt=0.5, description="share of the rows, without dates")
    test: float = Field(TEST_SHARE, gt=0, lt=0.5, description="share of the rows, without dates")

    @model_validator(mode="after")
    def check_dates(self) -> Self:
        """Reject one date without the other, and dates without a column to find them in."""
        dates = (self.validate_from, self.test_from)
        if (dates[0] is None) != (dates[1] is None) or (any(dates) and not self.time):
            raise ValueError("validate_from, test_from and time go together")
        return self
