"""Reads snapshots from services and files, and the reference that they were counted in."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from ekiben.contract.errors import InvalidModel
from ekiben.contract.reference.reference import REFERENCE_FILE, Reference, parse_reference
from ekiben.contract.reference.snapshot import Snapshot, parse_snapshot
from ekiben.contract.text_lines import printable
from ekiben.monitoring.fetching import add_path, find_path, is_url, read, read_all

PATH = "/monitoring"
NAMED = re.compile(r"/models/[^/]+")  # after it, one of several models of a service


def read_snapshots(sources: Sequence[str]) -> dict[str, Snapshot]:
    """Return the snapshot of each source, which is a service's URL or a file; raise a UserError naming it if not."""
    return {source: parse_snapshot(content, source) for source, content in read_all(sources, PATH).items()}


def find_reference(snapshots: Mapping[str, Snapshot], file: Path | None) -> Reference:
    """Return the reference from a file, else from a service among the sources, else from the BentoML store.

    Raises InvalidModel unless it is the very one that the snapshots were counted in.
    """
    wanted = next(iter(snapshots.values())).reference
    if file:
        return _check(read(str(file)), str(file), wanted)
    for source in snapshots:
        if is_url(source):
            url = f"{_find_root(source)}/reference"
            return _check(read(url), url, wanted)
    return _find_stored(next(iter(snapshots.values())))


def add_days(source: str) -> str:
    """Return where a service has all of its days; another source as it is."""
    return add_path(source, f"{PATH}/days") if PATH not in find_path(source) else source


def _find_stored(snapshot: Snapshot) -> Reference:
    """Return the reference of the model in the BentoML store that the snapshot is of."""
    from ekiben.model.store import find_model, open_stored

    wanted = printable(f"{snapshot.model} {snapshot.version}")
    advice = "name a running service of it too, or give its reference.json with --reference"
    try:
        model = open_stored(find_model(snapshot.model))
    except InvalidModel as error:
        reason = printable(str(error))
        raise InvalidModel(f"the reference of {wanted} is needed ({reason}): {advice}") from None
    if REFERENCE_FILE not in model.manifest.files or model.reference_digest != snapshot.reference:
        found = f"the BentoML store has {model.name} {model.version}"
        raise InvalidModel(
            f"{found}, whose reference is not that of the snapshots' {printable(snapshot.version)}: {advice}"
        )
    return _check((model.path / REFERENCE_FILE).read_bytes(), str(model.path / REFERENCE_FILE), snapshot.reference)


def _check(content: bytes, source: str, wanted: str) -> Reference:
    digest = hashlib.sha256(content).hexdigest()
    if digest != wanted:
        raise InvalidModel(f"{source} is not the reference that the rows were counted in: its SHA-256 is not {wanted}")
    return parse_reference(content, source)


def _find_root(url: str) -> str:
    """Return where a service has the monitoring of the model that the URL names, or of its first."""
    if PATH not in find_path(url):
        return url.rstrip("/") + PATH
    before, _, after = url.partition(PATH)
    named = NAMED.match(after)
    return before.rstrip("/") + PATH + (named[0] if named else "")
