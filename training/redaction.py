"""URIs and messages without the secrets in them: whatever prints the address of a store or database uses this."""

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import quote, quote_plus, unquote, unquote_plus

HIDDEN = "…"
SECRET = re.compile(  # in the name of an option
    r"pass(?!file)|pwd|secret|token|odbc_connect|credential|(api|access|account)_?key|^sig$", re.IGNORECASE
)
SECRET_VARIABLES = (
    "MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN", "DATABASE_PASSWORD", "AUTH_TOKEN", "WATCH_TOKEN",
    "AIRFLOW_TOKEN", "AIRFLOW_PASSWORD", "KFP_TOKEN", "OPENLINEAGE_API_KEY", "LOG_HASH_KEY", "REGISTRY_SECRET",
    "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AZURE_CLIENT_SECRET", "AZURE_STORAGE_ACCESS_KEY",
    "AZURE_STORAGE_ACCOUNT_KEY", "AZURE_STORAGE_CONNECTION_STRING", "AZURE_STORAGE_SAS_TOKEN", "DATABRICKS_TOKEN",
    "PGPASSWORD",
)  # fmt: skip
URI_VARIABLES = ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI", "DATABASE_URL", "OPENLINEAGE_URL")
_FILE = re.compile(r"(sqlite|file):", re.IGNORECASE)  # what follows is a path: an @ in it ends no login
_LOGIN = re.compile(r"(?P<scheme>[A-Za-z][\w.+-]*:/*|//)(?P<login>.*)@", re.DOTALL)  # to the last @, for bare @ : / ?
_OPTION = re.compile(r"(?P<name>[^?&;#=\s]+)=(?P<value>[^&;#\s]+)")
_URL = re.compile(r"[A-Za-z][\w.+-]*://\S*")
_WEB = re.compile(r"https?:", re.IGNORECASE)


def redact_uri(uri: str) -> str:
    """Return a URI, well formed or not, without its login, those of its options that are secrets, and its fragment."""
    login, rest = _split(uri)
    start, mark, fragment = (rest, "", "") if _FILE.match(uri) else rest.partition("#")
    shown = _OPTION.sub(_hide_option, start) + (mark + HIDDEN if fragment else "")
    return f"{login['scheme']}{HIDDEN}@{shown}" if login else shown


def redact(message: str, *uris: str) -> str:
    """Return a message without the secrets of these URIs and of the environment, however they are written."""
    uris += tuple(_read(URI_VARIABLES))
    for uri in uris:
        message = message.replace(uri, redact_uri(uri))
    found = [secret for uri in uris for secret in _find_secrets(uri)]
    forms = {form for secret in (*found, *_read(SECRET_VARIABLES)) for form in _spell(secret)}
    for form in sorted(forms, key=len, reverse=True):
        message = message.replace(form, HIDDEN)
    return message


def redact_json(value: Any, *uris: str) -> Any:
    """Return a value of JSON without the secrets of these URIs, of the URLs in it and of the environment."""
    if isinstance(value, Mapping):
        return {redact(name, *uris): redact_json(held, *uris) for name, held in value.items()}
    if isinstance(value, list | tuple):
        return [redact_json(held, *uris) for held in value]
    if not isinstance(value, str):
        return value
    whole = redact_uri(value) if _URL.match(value) else value  # which may have blanks in its password
    return redact(_URL.sub(lambda found: redact_uri(found[0]), whole), *uris)


def holds_secret(uri: str) -> bool:
    """Return whether a URI has a secret in it."""
    return any(_find_secrets(uri))


def _read(variables: Iterable[str]) -> Iterator[str]:
    return (os.environ[name] for name in variables if os.environ.get(name))


def _split(uri: str) -> tuple[re.Match[str] | None, str]:
    """Return the scheme and login of a URI, if it has one, and the rest of it."""
    login = None if _FILE.match(uri) else _LOGIN.match(uri)
    return login, uri[login.end() :] if login else uri


def _hide_option(found: re.Match[str]) -> str:
    return f"{found['name']}={HIDDEN}" if SECRET.search(unquote(found["name"])) else found[0]


def _find_secrets(uri: str) -> Iterator[str]:
    login, rest = _split(uri)
    if login:
        user, _, password = login["login"].partition(":")
        if password:
            yield from (login["login"], password)
        elif user and _WEB.match(uri):  # a token; the user of a database is no secret
            yield user
    start, _, fragment = (rest, "", "") if _FILE.match(uri) else rest.partition("#")
    yield from (found["value"] for found in _OPTION.finditer(start) if SECRET.search(unquote(found["name"])))
    if fragment:
        yield fragment


def _spell(secret: str) -> Iterator[str]:
    """Yield a secret as it stands, decoded, and encoded again in each way there is."""
    for plain in (secret, unquote(secret), unquote_plus(secret)):
        yield from (plain, quote(plain, safe=""), quote(plain), quote_plus(plain), repr(plain)[1:-1])
