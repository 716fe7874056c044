"""Reads snapshots from services and files, and the reference that they were counted in."""

import hashlib
import os
import re
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from ekiben.contract.errors import InvalidModel, UserError
from ekiben.contract.reference.reference import REFERENCE_FILE, Reference, parse_reference
from ekiben.contract.reference.snapshot import InvalidSnapshot, Snapshot, parse_snapshot

PATH = "/monitoring"
NAMED = re.compile(r"/models/[^/]+")  # after it, one of several models of a service
TIMEOUT_S = 10.0
MAX_BYTES = 256 * 2**20  # of an answer or a file: of a wide table a month is a tenth of that
TOKEN = "AUTH_TOKEN"  # as the service reads it


class Unreachable(UserError):
    """A service or a file can't be read."""


def read_snapshots(sources: Sequence[str]) -> dict[str, Snapshot]:
    """Return the snapshot of each source, which is a service's URL or a file; raise a UserError naming it if not."""
    if len(set(sources)) < len(sources):
        raise InvalidSnapshot("a source is named twice: name each once")
    return {source: parse_snapshot(_read(_add_path(source)), source) for source in sources}


def find_reference(snapshots: Mapping[str, Snapshot], file: Path | None) -> Reference:
    """Return the reference from a file, else from a service among the sources, else from the BentoML store.

    Raises InvalidModel unless it is the very one that the snapshots were counted in.
    """
    wanted = next(iter(snapshots.values())).reference
    if file:
        return _check(_read(str(file)), str(file), wanted)
    for source in snapshots:
        if _is_url(source):
            url = f"{_find_root(source)}/reference"
            return _check(_read(url), url, wanted)
    return _find_stored(next(iter(snapshots.values())))


def add_days(source: str) -> str:
    """Return where a service has all of its days; another source as it is."""
    return f"{source.rstrip('/')}{PATH}/days" if _is_url(source) and PATH not in urlsplit(source).path else source


def _find_stored(snapshot: Snapshot) -> Reference:
    """Return the reference of the model in the BentoML store that the snapshot is of."""
    from ekiben.model.store import find_model, open_stored

    advice = "name a running service of it too, or give its reference.json with --reference"
    try:
        model = open_stored(find_model(snapshot.model))
    except InvalidModel as error:
        raise InvalidModel(
            f"the reference of {snapshot.model} {snapshot.version} is needed ({error}): {advice}"
        ) from None
    if REFERENCE_FILE not in model.manifest.files or model.reference_digest != snapshot.reference:
        found = f"the BentoML store has {model.name} {model.version}"
        raise InvalidModel(f"{found}, whose reference is not that of the snapshots' {snapshot.version}: {advice}")
    return _check((model.path / REFERENCE_FILE).read_bytes(), str(model.path / REFERENCE_FILE), snapshot.reference)


def _check(content: bytes, source: str, wanted: str) -> Reference:
    digest = hashlib.sha256(content).hexdigest()
    if digest != wanted:
        raise InvalidModel(f"{source} is not the reference that the rows were counted in: its SHA-256 is not {wanted}")
    return parse_reference(content, source)


def _is_url(source: str) -> bool:
    return source.startswith(("http://", "https://"))


def _find_root(url: str) -> str:
    """Return where a service has the monitoring of the model that the URL names, or of its first."""
    if PATH not in urlsplit(url).path:
        return url.rstrip("/") + PATH
    before, _, after = url.partition(PATH)
    named = NAMED.match(after)
    return before.rstrip("/") + PATH + (named[0] if named else "")


def _add_path(source: str) -> str:
    return f"{source.rstrip('/')}{PATH}" if _is_url(source) and PATH not in urlsplit(source).path else source


def _read(source: str) -> bytes:
    """Return what a URL or a file holds; raise Unreachable, naming it, if it can't be read."""
    try:
        content = _fetch(source) if _is_url(source) else _read_file(Path(source))
    except urllib.error.HTTPError as error:
        raise Unreachable(f"{source} answers {error.code}: {_explain(error)}") from None
    except urllib.error.URLError as error:
        reason = getattr(error.reason, "strerror", None) or error.reason
        raise Unreachable(f"{source} can't be reached ({reason}): is the service running?") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise Unreachable(f"{source} can't be read ({reason}): name a service's URL or a saved snapshot") from None
    if len(content) > MAX_BYTES:
        raise Unreachable(f"{source} holds more than {MAX_BYTES} bytes: that is no snapshot")
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
    if error.code == 404:
        return "monitoring is off there, or the service has none: its log says which"
    return "its log says why"
