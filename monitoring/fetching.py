"""Reads what services and saved files hold."""

import json
import os
import urllib.error
import urllib.request
from collections.abc import Sequence
from http.client import BadStatusLine, HTTPException
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

from ekiben.contract.errors import UserError
from ekiben.contract.text_lines import printable

TIMEOUT_S = 10.0
MAX_BYTES = 256 * 2**20  # of an answer or a file: of a wide table a month is a tenth of that
MAX_REASON_BYTES = 4096
TOKEN = "AUTH_TOKEN"  # as the service reads it
TOKEN_ADVICE = f"set {TOKEN} to the service's token"
URL_ADVICE = "name a service's URL, such as http://127.0.0.1:8080"


class Unreachable(UserError):
    """A service or a file can't be read."""


class NamedTwice(UserError):
    """A source would count twice."""


def read_all(sources: Sequence[str], path: str) -> dict[str, bytes]:
    """Return what each source holds: a service's URL on that path, or a file; raise a UserError naming it if not."""
    if len(set(sources)) < len(sources):
        raise NamedTwice("a source is named twice: name each once")
    return {source: read(add_path(source, path)) for source in sources}


def is_url(source: str) -> bool:
    """Return whether a source is a service's URL."""
    return source.startswith(("http://", "https://"))


def add_path(source: str, path: str) -> str:
    """Return the URL of a path of a service, unless the path is in it; of a file its name."""
    return f"{source.rstrip('/')}{path}" if is_url(source) and path not in find_path(source) else source


def find_path(source: str) -> str:
    """Return the path of a URL; raise Unreachable if it is not one."""
    try:
        return urlsplit(source).path
    except ValueError as error:
        raise Unreachable(printable(f"{source} is not a URL ({error}): {URL_ADVICE}")) from None


def read(source: str) -> bytes:
    """Return what a URL or a file holds; raise Unreachable, naming it, if it can't be read."""
    return fetch(source) if is_url(source) else _read_file(source)


def fetch(url: str, body: bytes | None = None, timeout_s: float = TIMEOUT_S) -> bytes:
    """Return what a service answers, to a POST if there is a JSON body; raise Unreachable, naming the URL, if not."""
    if not is_url(url) or not url.isprintable() or " " in url:
        raise Unreachable(printable(f"{url} is not a URL, or holds a blank: {URL_ADVICE}"))
    try:
        with urllib.request.urlopen(_build_request(url, body), timeout=timeout_s) as answer:
            return _read_whole(answer, url)
    except urllib.error.HTTPError as error:
        raise Unreachable(f"{url} answers {error.code}: {_explain(error)}") from None
    except urllib.error.URLError as error:
        raise Unreachable(f"{url} can't be reached ({_name_reason(error)}): is the service running?") from None
    except (OSError, ValueError, HTTPException) as error:
        raise Unreachable(f"{url} gives no answer ({_name_reason(error)}): {URL_ADVICE}") from None


def _build_request(url: str, body: bytes | None) -> urllib.request.Request:
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"} if body else {})
    if token := os.environ.get(TOKEN):
        if not all("!" <= character <= "~" for character in token):  # the service takes no other, either
            raise Unreachable(f"{TOKEN} holds a space, a line break or what is not ASCII: {TOKEN_ADVICE}")
        request.add_unredirected_header("Authorization", f"Bearer {token}")
    return request


def _read_file(path: str) -> bytes:
    try:
        with Path(path).open("rb") as file:
            return _read_whole(file, path)
    except (OSError, ValueError) as error:
        advice = "name a service's URL or a file saved from it"
        raise Unreachable(f"{path} can't be read ({_name_reason(error)}): {advice}") from None


def _read_whole(stream: IO[bytes], source: str) -> bytes:
    content = stream.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise Unreachable(f"{source} holds more than {MAX_BYTES} bytes: that is none of ours")
    return content


def _name_reason(error: Exception) -> str:
    """Return what the system says of an error, else what Python says."""
    if type(error) is BadStatusLine:  # which holds no more than the bytes that came
        return "it doesn't speak HTTP/1: is this its gRPC port?"
    inner = getattr(error, "reason", error)
    return printable(str(getattr(inner, "strerror", None) or inner))


def _explain(error: urllib.error.HTTPError) -> str:
    if error.code == 401:
        return TOKEN_ADVICE
    try:
        said = json.loads(error.read(MAX_REASON_BYTES))["error"]  # as our services answer
    except (OSError, HTTPException, ValueError, KeyError, TypeError, RecursionError):
        said = None
    return printable(said) if isinstance(said, str) else "it is no service of ours, or its log says why"
