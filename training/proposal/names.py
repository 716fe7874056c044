"""What the name of a column says of it."""

import re

IDENTIFIERS = {"id", "ids", "key", "uuid", "guid", "index", "idx", "no", "nr", "number", "num", "code", "rowid", "row"}
DURATIONS = {"duration", "took", "elapsed", "runtime", "uptime", "lap", "laps", "dauer", "length", "wait", "waited"}
MOMENTS = {"ts", "time", "timestamp", "epoch", "date", "datetime", "created", "updated", "modified", "at", "when"}
MOMENTS |= {"since", "datum", "zeit", "zeitpunkt", "unixtime", "start", "end", "expires", "seen", "login"}
DAYS = {"date", "datum", "day", "datetime", "serial", "when", "tag", "fecha"}
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_INDEX = re.compile(r"Unnamed: \d+(_level_\d+)?|__index_level_\d+__|\.\.\.\d+|_c0|column0")


def is_identifier(name: str) -> bool:
    """Return whether the name begins or ends as that of an identifier."""
    words = _split(name)
    return bool(words and {words[0], words[-1]} & IDENTIFIERS)


def is_duration(name: str) -> bool:
    """Return whether the name is that of how long something took."""
    return not DURATIONS.isdisjoint(_split(name))


def is_moment(name: str) -> bool:
    """Return whether the name says that something happened then."""
    return not MOMENTS.isdisjoint(_split(name))


def is_day(name: str) -> bool:
    """Return whether the name is that of a date."""
    return not DAYS.isdisjoint(_split(name))


def is_index(name: str) -> bool:
    """Return whether a program called a column so that had no name."""
    return bool(_INDEX.fullmatch(name))


def _split(name: str) -> list[str]:
    return [word.lower() for word in _WORD.findall(name)]
