"""Reads durations as numbers of seconds: `0:41:07`, `27:26`, `1 day, 2:03:04`, `PT41M7S`, `1h 20m`."""

import re

DURATION = "duration"  # the format of such numbers
UNITS = {"d": 86_400.0, "h": 3600.0, "m": 60.0, "s": 1.0}
_CLOCK = re.compile(
    r"(?:(?P<d>[+-]?[0-9]+) ?d(?:ays?)?,? ?)?(?P<sign>[+-]?)(?P<h>[0-9]+):(?P<m>[0-5]?[0-9])"
    r"(?::(?P<s>[0-5]?[0-9](?:[.,][0-9]+)?))?"
)
_WORDS = re.compile(
    r"(?P<sign>[+-]?)(?:PT?)?(?=[0-9])(?:(?P<d>[0-9]+) ?d(?:ays?)?)?,? ?T?(?:(?P<h>[0-9]+) ?h(?:ours?|rs?)?)?,? ?"
    r"(?:(?P<m>[0-9]+) ?m(?:in(?:utes?|s)?)?)?,? ?(?:(?P<s>[0-9]+(?:[.,][0-9]+)?) ?s(?:ec(?:onds?|s)?)?)?",
    re.IGNORECASE | re.ASCII,
)


def read_duration(text: str) -> float | None:
    """Return the seconds that a string stands for, None if it is no duration; `8:30` are hours and minutes.

    A sign before days is that of the days alone where a clock follows: `-1 day, 23:59:59` is a second before nothing.
    """
    if found := _CLOCK.fullmatch(text):
        return _add(found, "d") + (-1 if found["sign"] == "-" else 1) * _add(found, "hms")
    if found := _WORDS.fullmatch(text):
        return (-1 if found["sign"] == "-" else 1) * _add(found, "dhms")
    return None


def _add(found: re.Match[str], units: str) -> float:
    return sum(float((found[unit] or "0").replace(",", ".")) * UNITS[unit] for unit in units)
