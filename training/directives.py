"""The formats of dates and times that a problem file gives: what `strptime` knows in training and in the service."""

import re
from datetime import UTC, datetime

KNOWN = set("aAbBcdfGHIjmMpSuUVwWxXyYzZ%")  # of both: pandas reads in training, Python in the service
UNPADDED = re.compile("%[-#_0^](.)")  # as some systems' strftime has them
EXAMPLE = datetime(2021, 12, 23, 14, 45, 56, 789, UTC)


def check_format(format: str) -> str:
    """Return a format; raise ValueError naming the directive that nothing reads.

    Text without a % is no such format: what it is, is decided elsewhere.
    """
    found = re.findall("%(?:[-#_0^:]?.)?", format, re.DOTALL)
    for directive in found:
        if directive == "%":
            raise ValueError("a % at its end stands for nothing: write %% for the sign itself")
        if directive[1:] not in KNOWN:
            raise ValueError(f"{directive} is no directive of strptime{_suggest(directive)}")
    twice = next((one for one in found if one != "%%" and found.count(one) > 1), None)
    if twice:
        raise ValueError(f"{twice} stands twice in {format!r}")
    if {"%U", "%W"} & {*found} and not ({"%a", "%A", "%w", "%u"} & {*found} and {"%Y", "%y"} & {*found}):
        raise ValueError(f"the weeks of {format!r} need a year (%Y) and a weekday (%w)")
    if found:
        _check_whole(format)
    return format


def _suggest(directive: str) -> str:
    other = UNPADDED.fullmatch(directive)
    if other and other[1] in KNOWN:
        return f": write %{other[1]}, which reads 7 and 07 alike"
    return ""


def _check_whole(format: str) -> None:
    """Raise ValueError for directives that don't go together, such as %G without %V."""
    try:
        datetime.strptime(EXAMPLE.strftime(format), format)
    except ValueError as error:
        raise ValueError(f"no date can be read with {format!r}: {error}") from None
