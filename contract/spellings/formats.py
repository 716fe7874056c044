"""Formats of dates and times, written with the directives of `strptime`, as regular expressions.

They are in the syntax that Python's `re` and RE2 share: one grammar for a cell and for a whole column.
"""

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache

from ekiben.contract.spellings.months import FULL, SHORT
from ekiben.contract.spellings.spelling import BLANKS

DATES = frozenset("YymdbBj")  # directives without which there is only a time of day


def _one_of(names: Mapping[str, int]) -> str:
    return "|".join(sorted(names, key=len, reverse=True))


_NUMBERS = {"m": 2, "d": 2, "H": 2, "I": 2, "M": 2, "S": 2, "j": 3}  # directives, and their digits
_NAME = f"[^0-9.,;:/+\\-{re.escape(BLANKS)}]"  # of a day of the week, which says nothing new
_PATTERNS = {
    "Y": "[0-9]{4}",
    "y": "[0-9]{2}",
    "f": "[0-9]{1,9}",
    "p": r"(?i:[ap]\.?m\.?)",
    "z": "[Zz]|[+-][0-9]{2}(?::?[0-9]{2}(?::?[0-9]{2})?)?",
    "b": f"(?i:{_one_of(SHORT)})",
    "B": f"(?i:{_one_of(FULL)})",
    "a": _NAME + "{2,5}",
    "A": _NAME + "{5,13}",
}
_KNOWN = {*_NUMBERS, *_PATTERNS, "%"}
_LISTED = [f"%{name}" for name in (*"YymdbBjaAHIMSfpz", "%")]
_BLANK = f"[{re.escape(BLANKS)}]+"
_PART = re.compile(r"%(.?)|(\s+)|(.)", re.DOTALL)


def find_fault(format: str) -> str | None:
    """Return what is wrong with a format, or None: which directive there is none of, and what to write instead."""
    found = re.findall("%(?:[-#_0^:]?.)?", format, re.DOTALL)
    for directive in found:
        if directive == "%":
            return "a % at its end stands for nothing: write %% for the sign itself"
        if directive[1:] not in _KNOWN:
            return f"{directive} is no directive of strptime{_suggest(directive)}"
        if directive != "%%" and found.count(directive) > 1:
            return f"{directive} stands twice in {format!r}"
    return None


def _suggest(directive: str) -> str:
    if len(directive) > len("%d") and directive[-1] in _KNOWN:
        return f": write %{directive[-1]}, which reads 7 and 07 alike"
    return ': write "epoch_s"' if directive == "%s" else f" that is read here: known are {' '.join(_LISTED)}"


@lru_cache(maxsize=1024)
def to_pattern(format: str) -> str:
    """Return a format as a regular expression whose groups are called after their directives."""
    return "".join(_translate(format))


@lru_cache(maxsize=1024)
def compile_format(format: str) -> re.Pattern[str]:
    """Return the regular expression of a format."""
    return re.compile(to_pattern(format))


def list_directives(format: str) -> set[str]:
    """Return the letters of a format's directives."""
    return set(re.findall("%(.)", format.replace("%%", "")))


def is_clock(format: str) -> bool:
    """Return whether a format has a time of day and no date."""
    return bool(list_directives(format)) and not list_directives(format) & DATES


def _translate(format: str) -> Iterator[str]:
    """Yield the parts; numbers without anything between them have all their digits but for the first."""
    after_number = False
    for directive, blank, letter in _PART.findall(format):
        if directive in _NUMBERS:
            digits = _NUMBERS[directive]
            yield f"(?P<{directive}>[0-9]{{{digits if after_number else 1},{digits}}})"
        elif directive in _PATTERNS:
            yield f"(?P<{directive}>{_PATTERNS[directive]})"
        else:
            yield _BLANK if blank else re.escape(directive or letter)
        after_number = directive in _NUMBERS or directive in ("Y", "y")
