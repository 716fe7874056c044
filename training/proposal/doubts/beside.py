"""What stands beside a column's numbers and changes nothing, unless it differs from row to row."""

import re

from ekiben.contract.validation import show
from ekiben.training.proposal.candidates import LOOKED_AT
from ekiben.training.proposal.column import Column

_NUMBER = re.compile(r"(?<=\d)[eE](?=[+-]?\d)|[\d\s.,'’٫٬()_+−–-]+")
SHOWN = 4


def find_beside(column: Column) -> str:
    """Return which currencies, or per cent in some rows only, stand beside the numbers; or nothing."""
    if not column.is_text:
        return ""
    found = {_NUMBER.sub("", text) for text in column.distinct.slice(0, LOOKED_AT).to_pylist()}
    words = sorted(found - {""})
    if len(words) > 1:
        return f"{', '.join(map(show, words[:SHOWN]))} stand beside the numbers, which are read as if all were the same"
    return "% stands in some rows only: 5 % is read as 5" if words == ["%"] and "" in found else ""
