"""Changes a packed model in a store, and signs it again, as another training might have packed it."""

import json
from hashlib import sha256
from pathlib import Path

from ekiben.model.package import MANIFEST_FILE
from tests.conftest import NAME


def rename_feature(home: Path, version: str, name: str, renamed: str) -> None:
    """Let a version call one of its features otherwise."""
    folder = home / "models" / NAME / version
    for path in folder.rglob("*.json"):
        path.write_text(path.read_text().replace(f'"{name}"', f'"{renamed}"'))
    sign(folder)


def sign(folder: Path) -> None:
    """Make the manifest, and the store's label of it, agree with the files."""
    path = folder / MANIFEST_FILE
    before, manifest = digest_of(path), json.loads(path.read_text())
    manifest["files"] = {name: digest_of(folder / name) for name in manifest["files"]}
    path.write_text(json.dumps(manifest))
    label = folder / "model.yaml"
    content = label.read_text()
    for old in {before, *[line.split()[-1] for line in content.splitlines() if "manifest_digest:" in line]}:
        content = content.replace(old, digest_of(path))
    label.write_text(content)


def digest_of(path: Path) -> str:
    return sha256(path.read_bytes()).hexdigest()
