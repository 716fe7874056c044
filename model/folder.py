"""Opens a packed model without BentoML: by its folder, or by its name in the store."""

import re
from pathlib import Path

from ekiben.contract.errors import InvalidModel
from ekiben.contract.validation import shorten
from ekiben.model.home import find_home
from ekiben.model.integrity import STORE_FILE, digest_file
from ekiben.model.package import MANIFEST_FILE, PackedModel, open_model

_LABEL = re.compile(r"^ +manifest_digest: '?([0-9a-f]{64})'?$", re.MULTILINE)  # of `ekiben train`, in BentoML's file


def open_packed(named: str | Path) -> PackedModel:
    """Open a packed folder, or the newest model of a name in the store; raise InvalidModel unless it is as packed.

    A folder outside a store is checked against its own manifest alone.
    """
    folder = Path(named) if Path(named).is_dir() else _find_stored(str(named))
    manifest = folder / MANIFEST_FILE
    if not manifest.is_file():
        raise InvalidModel(f"{folder} is not a packed model, which has a {MANIFEST_FILE}: name a folder that has one")
    return open_model(folder, _read_label(folder) or digest_file(manifest))


def _find_stored(name: str) -> Path:
    stored = find_home() / "models" / name.lower()
    try:
        return stored / (stored / "latest").read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        there = f"neither a folder nor a model in {find_home()}"
        raise InvalidModel(f"`{shorten(name)}` is {there}: run `ekiben train`, or set BENTOML_HOME") from None


def _read_label(folder: Path) -> str:
    """Return the digest that the store keeps beside a model, "" outside of one."""
    try:
        found = _LABEL.search((folder / STORE_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return ""
    return found[1] if found else ""
