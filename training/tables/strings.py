"""The values of every type as the strings that a caller would write."""

import pyarrow as pa
import pyarrow.compute as pc

from ekiben.training.tables.dates import to_seconds

EXACT_INTEGERS = 2.0**53  # below it a float holds every integer
_WITH_TEXT = (
    pa.types.is_string,
    pa.types.is_boolean,
    pa.types.is_timestamp,
    pa.types.is_date,
    pa.types.is_time,
    pa.types.is_null,
)


def has_text(given: pa.DataType) -> bool:
    """Return whether values of this type can be categories or labels."""
    return is_numeric(given) or any(is_such(given) for is_such in _WITH_TEXT)


def to_strings(plain: pa.Array) -> pa.Array:
    """Return what `to_plain` made as a caller would write it: `3` for 3.0, `true`, `2013-07-04T17:30:00`.

    All null if the type has no strings.
    """
    given = plain.type
    if pa.types.is_floating(given):
        whole = pc.and_(pc.equal(plain, pc.trunc(plain)), pc.less(pc.abs(plain), EXACT_INTEGERS))
        digits = pc.if_else(whole, plain, None).cast(pa.int64()).cast(pa.string())
        return pc.coalesce(digits, plain.cast(pa.string()))
    if pa.types.is_decimal(given):
        return pc.replace_substring_regex(plain.cast(pa.string()), r"\.0+$", "")
    if pa.types.is_timestamp(given):
        zoned = given.tz is not None
        return pc.strftime(to_seconds(plain, zoned), "%Y-%m-%dT%H:%M:%S" + ("+00:00" if zoned else ""))
    return plain.cast(pa.string()) if has_text(given) else pa.nulls(len(plain), pa.string())


def is_numeric(given: pa.DataType) -> bool:
    """Return whether values of this type are numbers."""
    return pa.types.is_integer(given) or pa.types.is_floating(given) or pa.types.is_decimal(given)
