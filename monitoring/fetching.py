"""Reads what services and saved files hold."""

import json
import os
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

from ekiben.contract.errors import UserError
from ekiben.contract.text_lines import printable

TIMEOUT_S = 10.0
MAX_BYTES = 256 * 2**20  # of an answer or a file: of a wide table a month is a tenth of that
MAX_REASON_BYTES = 4096
TOKEN = "AUTH_TOKEN"  # as the service reads it


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
    return f"{source.rstrip('/')}{path}" if is_url(source) and path not in urlsplit(source).path else source


def read(source: str) -> bytes:
    """Return what a URL or a file holds; raise Unreachable, naming it, if it can't be read."""
    return fetch(source) if is_url(source) else _read_file(source)


def fetch(url: str, body: bytes | None = None, timeout_s: float = TIMEOUT_S) -> bytes:
    """Return what a service answers, to a POST if there is a JSON body; raise Unreachable, naming the URL, if not."""
    try:
        with urllib.request.urlopen(_build_request(url, body), timeout=timeout_s) as answer:
            return _read_whole(answer, url)
    except urllib.error.HTTPError as error:
        raise Unreachable(f"{url} answers {error.code}: {_explain(error)}") from None
    except urllib.error.URLError as error:
        raise Unreachable(f"{url} can't be reached ({_name_reason(error)}): is the service running?") from None
    except (OSError, ValueError) as error:
        raise Unreachable(f"{url} gives no answer ({_name_reason(error)}): name a service's URL") from None


def _build_request(url: str, body: bytes | None) -> urllib.request.Request:
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"} if body else {})
    if token := os.environ.get(TOKEN):
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
    inner = getattr(error, "reason", error)
    return printable(str(getattr(inner, "strerror", None) or inner))


def _explain(error: urllib.error.HTTPError) -> str:
    if error.code == 401:
        return f"set {TOKEN} to the service's token"
    try:
        said = json.loads(error.read(MAX_REASON_BYTES))["error"]  # as our services answer
    except (OSError, ValueError, KeyError, TypeError):
        said = None
    return printable(said) if isinstance(said, str) else "it is no service of ours, or its log says why"
