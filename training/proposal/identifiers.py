"""Whether a column only names the rows, or is text: both say nothing about another row."""

import pyarrow.compute as pc

from ekiben.contract.validation import show
from ekiben.training.proposal.column import Column
from ekiben.training.proposal.doubts.exactness import find_indistinct
from ekiben.training.proposal.names import is_identifier, is_index
from ekiben.training.proposal.reading import Reading

UNIQUE_SHARE = 0.95  # of the values differ: they name the rows
DENSE = 0.25  # of the whole numbers between the first and the last stand there: rows that were left out are the others
TEXT_CHARACTERS = 40  # on average: sentences
TEXT_SHARE = 0.5  # of such values differ
_UUID = r"^\{?[0-9a-fA-F]{8}-?(?:[0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}\}?$"
_WITHOUT_LETTERS = r"^[^\p{L}]*[0-9][^\p{L}]*$"


def find_identifier(column: Column, reading: Reading | None) -> str:
    """Return why a column only names the rows, or nothing."""
    if reading is None:
        return _find_text(column)
    if reading.kind != "number" or not reading.whole or reading.spelling.format:
        return ""
    is_permutation = column.is_counted and len(column.distinct) == column.values == reading.high - reading.low + 1
    if column.values > 1 and (reading.ones == column.values - 1 or is_permutation):
        return "a row number (every number from the first to the last stands there once)"
    if column.share_distinct >= UNIQUE_SHARE and is_index(column.name):
        return "the index of a table that was written with it: its column has no name of its own"
    if column.share_distinct >= UNIQUE_SHARE and is_identifier(column.name):
        return "an identifier, by its name (and nearly every value is another)"
    if _rises_or_falls(column, reading) and _is_dense(column, reading):
        return "a row number with gaps (each row's is beyond the one before it, by little)"
    if column.share_distinct >= UNIQUE_SHARE and (told := find_indistinct(reading, column)[1]):
        return f"an identifier: nearly every value is another, and {told}"
    return ""


def _rises_or_falls(column: Column, reading: Reading) -> bool:
    """Return whether each number is above the one before it, or each below."""
    return column.values > 1 and max(reading.ups, reading.downs) == column.values - 1


def _is_dense(column: Column, reading: Reading) -> bool:
    return column.values >= DENSE * (reading.high - reading.low + 1)


def _find_text(column: Column) -> str:
    length = column.characters / column.values
    if length >= TEXT_CHARACTERS and column.share_distinct >= TEXT_SHARE:
        return f"free text, {length:.0f} characters on average"
    if column.share_distinct < UNIQUE_SHARE:
        return ""
    if column.is_text and pc.all(pc.match_substring_regex(column.distinct, _UUID)).as_py():
        return "an identifier (UUIDs)"
    if column.is_text and pc.all(pc.match_substring_regex(column.distinct, _WITHOUT_LETTERS)).as_py():
        shown = show(column.distinct[0].as_py())
        return f"nearly every value is another, such as {shown}: an identifier, or numbers written in an unknown way"
    return "an identifier (nearly every value is another)"
