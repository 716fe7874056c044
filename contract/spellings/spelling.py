"""How a column writes its values: what is to be known of it to read a string."""

from dataclasses import dataclass, fields
from typing import Any

from ekiben.contract.feature import NULL_SPELLINGS

BLANKS = "".join(filter(str.isspace, map(chr, range(0x3001))))  # those that `str.strip` takes off
DECIMAL, FIRST_YEAR = ".", 1969  # of two digits, as POSIX reads them


@dataclass(frozen=True, slots=True)
class Spelling:
    """The facts of a column; how each kind of value uses them its own module knows."""

    decimal: str = DECIMAL  # of numbers
    grouping: str | None = None  # the mark between thousands; None: any that can't be the decimal mark, "": none
    unit: str = ""  # it may stand behind a number
    format: str = ""  # of timestamps, or "duration" of numbers
    zoned: bool = False
    first_year: int | None = None  # of the hundred that two digits stand for; None: FIRST_YEAR
    null: tuple[str, ...] = ()  # missing, besides NULL_SPELLINGS
    integers: bool = False  # of categories: `3.0` is `3`

    def is_missing(self, text: str) -> bool:
        """Return whether a string, without the blanks around it, stands for no value."""
        return text in NULL_SPELLINGS or text in self.null


PLAIN = Spelling()


def spelling_of(entry: Any, **others: Any) -> Spelling:
    """Return the spelling of a feature, or of what a problem file says of a column; `others` go before it."""
    known = {field.name: getattr(entry, field.name) for field in fields(Spelling) if hasattr(entry, field.name)}
    return Spelling(**{**known, **others})
