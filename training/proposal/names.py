"""What the name of a column says of it."""

import re

IDENTIFIERS = {"id", "ids", "key", "uuid", "guid", "index", "idx", "no", "nr", "number", "num", "code", "rowid", "row"}
IDENTIFIERS |= {"rownames", "rowname", "rownum", "rownumber", "rowno", "seq", "sequence", "obs", "recno", "serial"}
# Whole numbers that only tell one from another: of the first nothing else is ever called so, of the others some are.
NOMINAL = {"id", "ids", "key", "code", "codes", "uuid", "guid", "zip", "zipcode", "postcode", "plz", "fips", "zone"}
NAMING = {"id", "ids", "key", "uuid", "guid", "name"}
PERHAPS_NOMINAL = {"no", "nr", "number", "region", "district", "ward", "precinct", "sector", "cluster", "type", "kind"}
PERHAPS_NOMINAL |= {"category", "department", "dept", "store", "shop", "station", "branch", "vendor", "route", "line"}
ENTITIES = {"user", "customer", "cust", "client", "member", "patient", "person", "employee", "driver", "student"}
ENTITIES |= {"movie", "film", "item", "product", "prod", "article", "store", "shop", "merchant", "seller", "vendor"}
ENTITIES |= {
    "order",
    "account",
    "device",
    "session",
    "location",
    "station",
    "zone",
    "vehicle",
    "trip",
    "group",
    "subject",
}
DURATIONS = {"duration", "took", "elapsed", "runtime", "uptime", "lap", "laps", "dauer", "length", "wait", "waited"}
MOMENTS = {"ts", "time", "timestamp", "epoch", "date", "datetime", "created", "updated", "modified", "at", "when"}
MOMENTS |= {"since", "datum", "zeit", "zeitpunkt", "unixtime", "start", "end", "expires", "seen", "login", "unix"}
DAYS = {"date", "datum", "day", "datetime", "serial", "when", "tag", "fecha"}
# What columns with a part of a moment are called.
TIME_PARTS = {
    "year": {"year", "yr", "yyyy", "jahr", "anno", "annee", "année", "ano", "año"},
    "month": {"month", "mon", "mnth", "mo", "mm", "monat", "mois", "mes", "mese"},
    "day": {"day", "dom", "mday", "dd", "tag", "jour", "dia", "día", "giorno", "dayofmonth"},
    "hour": {"hour", "hr", "hh", "stunde", "heure", "hora"},
    "minute": {"minute"},
}
_WORD = re.compile(r"[A-Z]+(?![a-zà-ÿ])|[A-Z]?[a-zà-ÿ]+")
_INDEX = re.compile(r"Unnamed: \d+(_level_\d+)?|__index_level_\d+__|\.\.\.\d+|_c0|column0")


def is_identifier(name: str) -> bool:
    """Return whether the name begins or ends as that of an identifier."""
    words = _split(name)
    return bool(words and ({words[0], words[-1]} & IDENTIFIERS or _ends_in_id(words[-1])))


def is_nominal(name: str) -> bool:
    """Return whether whole numbers of that name are names: those of users, of zones."""
    words = _split(name)
    return bool(words) and (words[-1] in NOMINAL or words[0] in ("id", "code") or _ends_in_id(words[-1]))


def names_one(name: str) -> bool:
    """Return whether a column of that name says who or what a row is of: `customer`, `customer_id`."""
    words = _split(name)
    return bool(words) and (words[-1] in ENTITIES or words[-1] in NAMING or _ends_in_id(words[-1]))


def may_be_nominal(name: str) -> bool:
    """Return whether whole numbers of that name may be names, of regions, or quantities."""
    words = _split(name)
    return bool(words) and words[-1] in PERHAPS_NOMINAL


def is_duration(name: str) -> bool:
    """Return whether the name is that of how long something took."""
    return not DURATIONS.isdisjoint(_split(name))


def is_moment(name: str) -> bool:
    """Return whether the name says that something happened then."""
    return not MOMENTS.isdisjoint(_split(name))


def is_day(name: str) -> bool:
    """Return whether the name is that of a date."""
    return not DAYS.isdisjoint(_split(name))


def name_part(name: str) -> tuple[str, tuple[str, ...]]:
    """Return which part of a moment a column is called after, or "", and the other words of its name."""
    words = [word for word in _split(name) if word != "of"]
    if words == ["day", "month"]:  # `day_of_month`
        return "day", ()
    for part, called in TIME_PARTS.items():
        named = [word for word in words if word in called]
        if len(named) == 1:
            return part, tuple(word for word in words if word != named[0])
    return "", ()


def is_index(name: str) -> bool:
    """Return whether a program called a column so that had no name."""
    return bool(_INDEX.fullmatch(name))


def _ends_in_id(word: str) -> bool:
    return word.endswith("id") and word.removesuffix("id") in ENTITIES


def _split(name: str) -> list[str]:
    return [word.lower() for word in _WORD.findall(name)]
