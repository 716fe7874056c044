"""What a caller may say of the explanations it wants: how many attributions, and how exact."""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qs

from ekiben.contract.explanation.explaining import MAX_PAIRS, ROUND_PAIRS
from ekiben.contract.validation import show
from ekiben.service.errors import BadRequest

MAX_DIGITS = 9
Query = Mapping[str, Sequence[str]]


def read_query(query: bytes) -> Query:
    """Return the values of a query by their names."""
    return parse_qs(query.decode("latin-1"), keep_blank_values=True)


def read_top(query: Query) -> int | None:
    """Return how many attributions of each row a query asks for, None: all; raise BadRequest if it is no number."""
    if "top" not in query:
        return None
    top = _read_number(query["top"][-1])
    if not top:
        raise BadRequest(400, f"top: expected a whole number above 0, got {show(query['top'][-1])}")
    return top


def read_pairs(query: Query) -> int:
    """Return the most pairs that a query asks for; raise BadRequest if that is none of those allowed."""
    if "pairs" not in query:
        return ROUND_PAIRS
    return check_pairs(_read_number(query["pairs"][-1]), query["pairs"][-1])


def check_pairs(pairs: Any, written: Any) -> int:
    """Return how many pairs are the most that a caller has written, if they may be."""
    if type(pairs) is not int or not ROUND_PAIRS <= pairs <= MAX_PAIRS:
        sentence = f"pairs: expected a whole number from {ROUND_PAIRS} to {MAX_PAIRS}, got {show(written)}"
        raise BadRequest(400, sentence)
    return pairs


def _read_number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= MAX_DIGITS else None
