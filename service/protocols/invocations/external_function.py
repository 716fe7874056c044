"""Snowflake's external functions: {"data": [[0, …], [1, …]]}, rows that begin with their number, answered by it.

Source: https://docs.snowflake.com/en/sql-reference/external-functions-data-format
"""

from collections.abc import Sequence
from typing import Any

from ekiben.contract.errors import FieldError, InvalidInput
from ekiben.contract.validation import no_rows, show

DATA = "data"
NOT_DATA = "columns"  # beside it in a DataFrame that pandas split
Numbers = list[int]


def is_external_function(content: Any) -> bool:
    """Return whether this is a body of Snowflake's."""
    return isinstance(content, dict) and DATA in content and NOT_DATA not in content


def take_numbers(data: Any) -> tuple[Numbers, list[Any]]:
    """Return the rows' numbers and the rows: their values in the features' order, or one object of them.

    Raises InvalidInput unless each row begins with a number.
    """
    if not isinstance(data, list):
        raise InvalidInput(FieldError(None, DATA, f"expected a list of rows, got {show(data)}"))
    if not data:
        raise no_rows(DATA)
    for index, row in enumerate(data):
        if type(row) is not list or not row or type(row[0]) is not int:
            got = show(row[0]) if type(row) is list and row else "an empty list" if row == [] else show(row)
            sentence = f"expected a list that begins with the row's number, such as [{index}, …], got {got}"
            raise InvalidInput(FieldError(index, DATA, sentence))
    numbers = [row[0] for row in data]
    if all(len(row) == 2 and type(row[1]) is dict for row in data):
        return numbers, [row[1] for row in data]
    return numbers, [row[1:] for row in data]


def number_predictions(numbers: Numbers, predictions: Sequence[Any]) -> dict[str, Any]:
    """Return what answers such a body."""
    return {DATA: list(map(list, zip(numbers, predictions, strict=True)))}
