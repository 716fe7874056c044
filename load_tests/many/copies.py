"""Packs copies of a model under other names, as many problems of one kind would be."""

import json
import os
import re
import shutil
from collections.abc import Iterable
from pathlib import Path

from ekiben.model.integrity import digest_file
from ekiben.model.package import MANIFEST_FILE, SCHEMA_FILE, PackedModel
from ekiben.model.store import DIGEST_LABEL

BENTOML_FILE = "model.yaml"  # what BentoML's store knows of a model


def copy_model(model: PackedModel, home: Path, names: Iterable[str]) -> None:
    """Put a copy of a model under each name into the BentoML store in a folder; what they share is on the disk once."""
    for name in names:
        folder = home / "models" / name / model.version
        shutil.copytree(model.path, folder, copy_function=_link)
        _rename(folder, name)
        (folder.parent / "latest").write_text(model.version)


def number(folder: Path, version: str) -> None:
    """Give a packed model of the BentoML store another version, as packing it again would."""
    _describe(folder, version=version)


def _rename(folder: Path, name: str) -> None:
    schema = json.loads((folder / SCHEMA_FILE).read_text(encoding="utf-8"))
    _write(folder / SCHEMA_FILE, json.dumps(schema | {"name": name}, ensure_ascii=False))
    _describe(folder, name=name)


def _describe(folder: Path, **changes: str) -> None:
    """Write what a packed model says of itself, and the digests that follow."""
    manifest = json.loads((folder / MANIFEST_FILE).read_text(encoding="utf-8")) | changes
    manifest["files"][SCHEMA_FILE] = digest_file(folder / SCHEMA_FILE)
    _write(folder / MANIFEST_FILE, json.dumps(manifest))
    known = (folder / BENTOML_FILE).read_text(encoding="utf-8")
    for key, value in (changes | {DIGEST_LABEL: digest_file(folder / MANIFEST_FILE)}).items():
        known = re.sub(rf"^( *{key}: ).*$", rf"\g<1>'{value}'", known, flags=re.MULTILINE)
    _write(folder / BENTOML_FILE, known)


def _write(path: Path, content: str) -> None:
    """Replace a file; the one that it shared with other copies stays as it is."""
    path.unlink()
    path.write_text(content, encoding="utf-8")


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # another disk, or one without links
        shutil.copy2(source, target)
