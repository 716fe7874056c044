"""Finds the unknown field that is most likely an absent one, misspelt; what differs in its numbers is never that."""

import re
from collections.abc import Collection, Iterable
from difflib import SequenceMatcher
from functools import cached_property

from ekiben.contract.validation import MAX_SHOWN_CHARACTERS

MAX_COMPARED = 100  # different unknown names of a request
# What all its comparisons may take, 4 µs each: anybody can send other names with every row, which would take seconds.
MAX_EFFORT = 5000
ALIGNING = 12  # as much as these takes the last one, of two names that have nearly the same letters
NEAR = 0.85  # of 1: `presure` is, `temp_min` and `temp_max` are not
PUNCTUATION = re.compile(r"[\W_]+")
NONE: frozenset[str] = frozenset()


class Misspellings:
    """Compares unknown fields of one request with optional ones; each name once, however many rows have it."""

    def __init__(self, optional: Iterable[str]) -> None:
        self._optional = optional
        self._near: dict[str, frozenset[str]] = {}
        self._left = MAX_EFFORT
        self.complete = True  # nothing was left uncompared

    @cached_property
    def _wanted(self) -> list[tuple[str, str]]:
        return [(name, _normalize(name)) for name in self._optional]

    def find(self, unknown: Iterable[str], absent: Collection[str]) -> str | None:
        """Return the first unknown field that is most likely an absent one."""
        if not absent:
            return None
        for name in unknown:
            near = self._near.get(name)
            if near is None:
                if len(self._near) >= MAX_COMPARED:
                    self.complete = False
                    return None
                near = self._near[name] = self._compare(name)
            if near and not near.isdisjoint(absent):
                return name
        return None

    def _compare(self, name: str) -> frozenset[str]:
        """Return the optional fields that a name is nearly."""
        if len(name) > MAX_SHOWN_CHARACTERS:
            return NONE
        given = _normalize(name)
        matcher = SequenceMatcher(b=given)
        return frozenset(other for other, wanted in self._wanted if self._is_near(matcher, given, wanted))

    def _is_near(self, matcher: "SequenceMatcher[str]", given: str, wanted: str) -> bool:
        if not self._spend(1):
            return False
        matcher.set_seq1(wanted)
        if matcher.real_quick_ratio() < NEAR or _digits(wanted) != _digits(given):
            return False
        return matcher.quick_ratio() >= NEAR and self._spend(ALIGNING) and matcher.ratio() >= NEAR

    def _spend(self, effort: int) -> bool:
        self._left -= effort
        self.complete = self.complete and self._left >= 0
        return self._left >= 0


def find_misspelt(unknown: Iterable[str], absent: Collection[str]) -> str | None:
    """Return the first unknown field that is most likely an absent one."""
    return Misspellings(absent).find(unknown, absent)


def _normalize(name: str) -> str:
    return PUNCTUATION.sub("", name).casefold()


def _digits(name: str) -> str:
    return "".join(filter(str.isdigit, name))
