"""What pydantic found wrong, as a person is told it."""

from pydantic import ValidationError

from ekiben.contract.text_lines import printable
from ekiben.contract.validation import shorten


def find_fault(error: ValidationError) -> tuple[tuple[str, ...], str]:
    """Return the place of the first thing that is wrong, from the outermost field on, and what is wrong there."""
    first = error.errors(include_url=False, include_input=False)[0]
    return tuple(map(str, first["loc"])), first["msg"].removeprefix("Value error, ")


def describe_fault(error: ValidationError, leave_out: int | None = None) -> str:
    """Return the first thing that is wrong in a few words: "`pipeline.budget`: input should be …".

    `leave_out`: the part of the place that the file doesn't have, such as which of several kinds was tried.
    """
    place, message = find_fault(error)
    named = ".".join(part for index, part in enumerate(place) if index != leave_out)
    where = f"`{shorten(named)}`: " if named else ""
    return printable(f"{where}{message[:1].lower()}{message[1:]}")
