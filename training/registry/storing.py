"""Puts a packed folder into the BentoML store, with the manifest that says which version it is.

No network is made here: who promotes or fetches a version need not wait for TensorFlow.
"""

import contextlib
import shutil
from collections.abc import Mapping
from pathlib import Path

import bentoml
from bentoml.exceptions import BentoMLException

from ekiben.contract.schema import load_schema
from ekiben.model.integrity import digest_file
from ekiben.model.package import MANIFEST_FILE, SCHEMA_FILE, Manifest, engine_kind, open_model
from ekiben.model.store import DIGEST_LABEL


def store_package(folder: Path, version: str, lineage: Mapping[str, str]) -> bentoml.Model:
    """Put a packed folder into the BentoML store as `name:version`, in place of an older one.

    Raises InvalidModel, and stores nothing, unless the packed engine gives the golden answers.
    """
    digest = write_manifest(folder, version, lineage["run_id"])
    packed = open_model(folder, digest)
    packed.start_engine()
    tag = f"{packed.name}:{version}"
    with contextlib.suppress(BentoMLException):  # the usual case: this version was never stored before
        bentoml.models.delete(tag)
    labels = {**lineage, DIGEST_LABEL: digest}
    with bentoml.models.create(tag, labels=labels, metadata=packed.manifest.model_dump()) as stored:
        shutil.copytree(folder, stored.path, dirs_exist_ok=True)
    return bentoml.models.get(tag)


def write_manifest(folder: Path, version: str, run_id: str) -> str:
    """Write which model this is and the SHA-256 of every file that was packed; return the manifest's own."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != MANIFEST_FILE)
    manifest = Manifest(
        name=load_schema(folder / SCHEMA_FILE).name,
        version=version,
        run_id=run_id,
        engine=engine_kind(folder),
        files={path.relative_to(folder).as_posix(): digest_file(path) for path in files},
    )
    path = folder / MANIFEST_FILE
    path.write_text(manifest.model_dump_json(indent=2) + "\n", encoding="utf-8")
    return digest_file(path)
