"""One column of the table as the caller sends it: its name, its kind, and what it may hold."""

from collections.abc import Mapping
from types import NoneType
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SerializerFunctionWrapHandler, model_serializer, model_validator

MAX_VOCABULARY = 100_000
# What tables write where nothing is known; in a string of a nullable category it means the same to the service.
NULL_SPELLINGS = frozenset(
    {"", "NA", "N/A", "n/a", "#N/A", "<NA>", "NaN", "nan", "NULL", "Null", "null", "None", "NIL", "?"}
)
# How tables write a boolean, in small letters.
TRUE = ("true", "t", "yes", "y", "on", "1", "1.0")
FALSE = ("false", "f", "no", "n", "off", "0", "0.0")
FLOAT32_MAX = 3.4028234663852886e38
Value = float | int | str | bool | None
Float32 = Annotated[float, Field(ge=-FLOAT32_MAX, le=FLOAT32_MAX)]
DecimalMark = Literal[".", ","]
GroupingMark = Literal["", ".", ",", " ", "'", "’", "_"]
Cycle = Literal["hour", "weekday", "day_of_year"]
# Formats of timestamps that are numbers: the ticks of a second since 1970; the days since 30 December 1899.
TICKS = {"epoch_s": 1, "epoch_ms": 10**3, "epoch_us": 10**6, "epoch_ns": 10**9}
EXCEL = "excel"
COUNTS = (*TICKS, EXCEL)
Logged = Literal["", "hash", "drop"]  # how the row log keeps a value: as it is, its hash, or not at all
Kind = Literal["number", "category", "boolean", "timestamp"]
Direction = Literal["up", "down"]


class _Column(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    _spelled: ClassVar[frozenset[str]] = frozenset(
        {"optional", "default", "null", "decimal", "grouping", "first_year", "log"}
    )

    name: str = Field(min_length=1)
    nullable: bool = False
    optional: bool = False  # callers may leave it out: it then is the default
    default: Value = None
    description: str = ""
    unit: str = ""
    example: Value = None
    null: tuple[str, ...] = ()  # what this column's table writes for missing, besides NULL_SPELLINGS
    log: Logged = ""

    @model_validator(mode="after")
    def check_default(self) -> Self:
        """Reject a default that nobody gets, and one that no caller could have sent."""
        if self.default is not None and not self.optional:
            raise ValueError("only an optional feature has a default")
        if self.optional and self.default is None and not self.nullable:
            raise ValueError("an optional feature that may not be null needs a default")
        return self

    @model_serializer(mode="wrap")
    def leave_out_usual(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out what is as in most tables: a schema then is the same file, and has the same digest, as ever."""
        usual = {name: field.default for name, field in type(self).model_fields.items() if name in self._spelled}
        return {n: value for n, value in write(self).items() if n not in usual or getattr(self, n) != usual[n]}


class Number(_Column):
    """A finite number between `low` and `high`, both included.

    `decimal` and `grouping` are the marks of its digits in a string, where a `duration` is written
    as `0:41:07` and is a number of seconds. As the number grows and all else stays, the answer goes
    nowhere but where `monotone` says, if it does.
    """

    _spelled: ClassVar[frozenset[str]] = _Column._spelled | {"format", "monotone"}
    kind: Literal["number"] = "number"
    decimal: DecimalMark = "."
    grouping: GroupingMark | None = None
    format: Literal["", "duration"] = ""
    monotone: Direction | None = None
    low: Float32
    high: Float32


class Category(_Column):
    """A string; `vocabulary[i]` gets code i + 1, all others 0. In it "" stands for missing.

    The vocabulary holds the most frequent MAX_VOCABULARY of the values that stand in at least
    `min_rows` training rows; the rarer ones are pooled into code 0. Of `integers` the vocabulary
    holds the digits, and a caller may send the number as well as the text.
    """

    kind: Literal["category"] = "category"
    vocabulary: tuple[str, ...]
    min_rows: int = 1
    integers: bool = False


class Boolean(_Column):
    """True or false."""

    kind: Literal["boolean"] = "boolean"


class Timestamp(_Column):
    """An ISO 8601 date and time; each cycle becomes a sine and a cosine.

    A `zoned` column wants a UTC offset and is read in UTC; any other rejects one and is
    read as naive local time. A `format` (as `strptime` has them, or what is counted since when) is
    how the training table writes it; a caller may write it so too. Years of two digits are in the
    hundred that begin with `first_year`.
    """

    kind: Literal["timestamp"] = "timestamp"
    zoned: bool = False
    format: str = ""
    first_year: int | None = None
    cycles: tuple[Cycle, ...] = ("hour", "weekday", "day_of_year")


Feature = Annotated[Number | Category | Boolean | Timestamp, Field(discriminator="kind")]

# What a JSON value of each kind may be in Python, exactly: a bool is not a number here.
_TYPES: Mapping[str, frozenset[type]] = {
    "number": frozenset({int, float}),
    "category": frozenset({str}),
    "boolean": frozenset({bool}),
    "timestamp": frozenset({str}),
}


def accepted_types(feature: Feature) -> frozenset[type]:
    """Return the Python types a caller's value may have."""
    types = _TYPES[feature.kind]
    if isinstance(feature, Category) and feature.integers:
        types |= {int}
    if isinstance(feature, Timestamp) and feature.format in COUNTS:
        types |= {int, float}
    return types | {NoneType} if feature.nullable else types
