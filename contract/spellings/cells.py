"""Reads the cells of a caller's CSV as the values that JSON would hold, exactly as training reads a table's."""

import re
from collections.abc import Callable, Mapping

from ekiben.contract.feature import FALSE, TRUE, Feature, Kind, Value
from ekiben.contract.spellings.numbers import marker_numbers, read_number
from ekiben.contract.spellings.spelling import Spelling, spelling_of

WHOLE = r"^([+-]?[0-9]+)\.0+$"  # pandas makes floats of whole numbers where one is missing
_WHOLE = re.compile(WHOLE)


def cell_reader(feature: Feature) -> Callable[[str | None], Value]:
    """Return what reads the cells of a column; one that can't be read stays a string, for the checks to name."""
    spelling, read = spelling_of(feature), _READERS[feature.kind]

    def read_cell(text: str | None) -> Value:
        stripped = text.strip() if text else ""
        if spelling.is_missing(stripped):
            return None
        value = read(stripped, spelling)
        return None if spelling.null and is_marker(value, spelling) else value

    return read_cell


def is_marker(value: Value, spelling: Spelling) -> bool:
    """Return whether a value is one of its column's own markers of missing; a number is, however it is written."""
    if isinstance(value, str):
        return value.strip() in spelling.null
    return type(value) in (int, float) and value in marker_numbers(spelling)


def read_category(text: str, spelling: Spelling) -> str:
    """Return the value of a category that a string without blanks around it stands for."""
    return _WHOLE.sub(r"\1", text) if spelling.integers else text


def _read_number(text: str, spelling: Spelling) -> Value:
    number = read_number(text, spelling)
    return text if number is None else number


def _read_boolean(text: str, _: Spelling) -> Value:
    word = text.lower()
    return True if word in TRUE else False if word in FALSE else text


def _keep(text: str, _: Spelling) -> Value:
    return text


_READERS: Mapping[Kind, Callable[[str, Spelling], Value]] = {
    "number": _read_number,
    "category": read_category,
    "boolean": _read_boolean,
    "timestamp": _keep,  # the checks of every request read it
}
