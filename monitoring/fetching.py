"""Reads what services and saved files hold."""

import json
import os
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
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
    try:
        content = _fetch(source) if is_url(source) else _read_file(Path(source))
    except urllib.error.HTTPError as error:
        raise Unreachable(f"{source} answers {error.code}: {_explain(error)}") from None
    except urllib.error.URLError as error:
        reason = getattr(error.reason, "strerror", None) or error.reason
        raise Unreachable(f"{source} can't be reached ({reason}): is the service running?") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise Unreachable(f"{source} can't be read ({reason}): name a service's URL or a file saved from it") from None
    if len(content) > MAX_BYTES:
        raise Unreachable(f"{source} holds more than {MAX_BYTES} bytes: that is none of ours")
    return content


def _fetch(url: str) -> bytes:
    request = urllib.request.Request(url)
    if token := os.environ.get(TOKEN):
        request.add_unredirected_header("Authorization", f"Bearer {token}")
    with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
        content: bytes = answer.read(MAX_BYTES + 1)
        return content


def _read_file(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(MAX_BYTES + 1)


def _explain(error: urllib.error.HTTPError) -> str:
    if error.code == 401:
        return f"set {TOKEN} to the service's token"
    try:
        said = json.loads(error.read(MAX_REASON_BYTES))["error"]  # as our services answer
    except (OSError, ValueError, KeyError, TypeError):
        said = None
    return printable(said) if isinstance(said, str) else "it is no service of ours, or its log says why"
