"""A database's URL: variables of the environment in it, and its password, which is written nowhere."""

import os
import re
from urllib.parse import parse_qsl, quote, unquote

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from ekiben.contract.errors import InvalidTable
from ekiben.training.redaction import SECRET, holds_secret, redact_uri

PASSWORD_VARIABLE = "DATABASE_PASSWORD"
_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|([A-Za-z_]\w*))")
_PARTS = re.compile(r"(?P<scheme>[\w+]+://)(?:(?P<user>[^:/@]*)(?::(?P<password>[^@]*))?@)?(?P<rest>.*)", re.DOTALL)


def is_url(text: str) -> bool:
    """Return whether this is a URL, or a variable that may hold one."""
    return "://" in text or _VARIABLE.fullmatch(text) is not None


def read_url(text: str) -> URL:
    """Return the URL with its variables replaced: one that holds all of it, or any in its parts.

    In the parts a value stands as it is, not percent-encoded. As the password a variable counts
    only if it is all of it, since passwords have dollars. Raise InvalidTable if a variable is
    missing or the URL can't be read.
    """
    whole = _VARIABLE.fullmatch(text)
    parts = _split(_look_up(whole) if whole else text)
    user, password, rest = parts["user"], parts["password"], parts["rest"]
    if not whole:
        user = user and _VARIABLE.sub(lambda found: quote(_look_up(found), safe=""), user)
        rest = _VARIABLE.sub(lambda found: quote(_look_up(found), safe="/:[]"), rest)
        variable = _VARIABLE.fullmatch(password or "")
        password = quote(_look_up(variable), safe="") if variable else password
    login = "" if user is None else f"{user}@" if password is None else f"{user}:{password}@"
    try:
        return make_url(f"{parts['scheme']}{login}{rest}")
    except (ArgumentError, ValueError):
        raise _unreadable() from None


def hide_password(text: str) -> str:
    """Return the URL with `${DATABASE_PASSWORD}` for its password, and set that variable to it.

    Raise InvalidTable if a secret stands where it can't be replaced.
    """
    if _VARIABLE.fullmatch(text):
        return text
    parts = _split(text)
    for option, value in parse_qsl(parts["rest"].partition("?")[2]):
        if SECRET.search(option) and not _VARIABLE.search(value):
            advice = "put the whole URL into a variable of the environment and give its name, e.g. '$DATABASE_URL'"
            raise InvalidTable(f"the URL's option `{option}` would be written to the problem file: {advice}")
    password = parts["password"]
    if not password or _VARIABLE.fullmatch(password):
        return text
    os.environ[PASSWORD_VARIABLE] = unquote(password)
    return f"{parts['scheme']}{parts['user']}:${{{PASSWORD_VARIABLE}}}@{parts['rest']}"


def withhold_secrets(text: str) -> str:
    """Return the URL as it may be written down: whole if variables stand for its secrets, else without them."""
    return redact_uri(text) if holds_secret(_VARIABLE.sub("", text)) else text


def _split(url: str) -> dict[str, str]:
    """Return scheme, user, password and the rest, divided as SQLAlchemy does; a part may be None."""
    parts = _PARTS.fullmatch(url)
    if not parts or ("@" in parts["rest"] and not url.startswith("sqlite")):  # else a part of a password is the host
        raise _unreadable()
    return parts.groupdict()


def _look_up(variable: re.Match[str]) -> str:
    name = variable[1] or variable[2]
    if name not in os.environ:
        raise InvalidTable(f"the database URL needs ${name}, which is not set in the environment")
    return os.environ[name]


def _unreadable() -> InvalidTable:
    form = "dialect://user:password@host:port/database, where @ : / % in a password are %40 %3A %2F %25"
    return InvalidTable(f"the database URL can't be read: it is written {form}")
