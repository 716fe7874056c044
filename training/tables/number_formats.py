"""Reads numbers as people write them: `1,234.5`, `1 234`, `۱۲۳٫۵`, `$5`, `12 %`."""

import re
import unicodedata

import pyarrow as pa
import pyarrow.compute as pc

GROUPING = {".": ",", ",": "."}  # what parts thousands where this parts the decimals
SPACES_AND_QUOTES = " '’_"  # what parts thousands anywhere
ARABIC = {"٫": ".", "٬": ","}
OTHER_SIGNS = {"−": "-", "\u00a0": " ", "\u202f": " ", "\u2009": " "}


def cast_numbers(strings: pa.Array, decimal: str = ".") -> pa.Array:
    """Return strings of mere digits as float64; raise ArrowInvalid if any says more than that."""
    if decimal == ",":
        if pc.any(pc.match_substring(strings, ".")).as_py():
            raise pa.ArrowInvalid("a dot parts thousands here")
        strings = pc.replace_substring(strings, decimal, ".")
    return strings.cast(pa.float64())


def read_numbers(strings: pa.Array, decimal: str = ".") -> pa.Array:
    """Return strings as float64, null where a string is not a number; `decimal` is the decimal point.

    A grouping of thousands, a plus, a currency sign or a percent sign may stand by the digits: they
    change nothing. `1,23` is not a number where the decimal point is a dot: it could mean two things.
    """
    strings = pc.utf8_trim_whitespace(strings)
    if not pc.all(pc.string_is_ascii(strings)).as_py():
        strings = pa.array([text and _to_ascii(text, decimal) for text in strings.to_pylist()], pa.string())
    strings = pc.replace_substring_regex(strings, r"^([+-]?)\s*\p{Sc}\s*", r"\1")
    strings = pc.replace_substring_regex(strings, r"\s*[%\p{Sc}]$", "")
    strings = pc.if_else(pc.match_substring_regex(strings, _grammar(decimal)), strings, None)
    strings = pc.replace_substring_regex(strings, f"[{GROUPING[decimal]}{SPACES_AND_QUOTES}]", "")
    return pc.replace_substring(strings, decimal, ".").cast(pa.float64())


def _grammar(decimal: str) -> str:
    """Return the regular expression of a number; one kind of grouping may stand in it."""
    marks = [re.escape(mark) for mark in (GROUPING[decimal], *SPACES_AND_QUOTES)]
    grouped = "|".join(rf"[1-9]\d{{0,2}}(?:{mark}\d{{3}})+" for mark in marks)
    point = re.escape(decimal)
    return rf"^[+-]?(?:(?:\d+|{grouped})(?:{point}\d*)?|{point}\d+)(?:[eE][+-]?\d+)?$"


def _to_ascii(text: str, decimal: str) -> str:
    """Return a string with the digits and signs of other scripts as ASCII has them."""
    points = ARABIC if decimal == "." else {mark: GROUPING[point] for mark, point in ARABIC.items()}
    return "".join(
        str(unicodedata.decimal(letter)) if letter.isdecimal() else {**OTHER_SIGNS, **points}.get(letter, letter)
        for letter in text
    )
