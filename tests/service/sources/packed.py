"""A packed folder that is complete but for its network: enough to be fetched."""

import json
from pathlib import Path

from ekiben.contract.schema import Schema
from ekiben.model.integrity import digest_file
from ekiben.model.package import GOLDEN_FILE, LITERT_FILE, MANIFEST_FILE, SCHEMA_FILE
from tests.every_kind import SCHEMA

RUN = "run7"
SOURCE = f"models:/{SCHEMA.name}@champion"


def write_packed(folder: Path, version: str = "3", schema: Schema = SCHEMA, **extra: str) -> str:
    """Write a package of a version, with more files if there are to be, and return its manifest's digest."""
    folder.mkdir(parents=True, exist_ok=True)
    schema.save(folder / SCHEMA_FILE)
    (folder / GOLDEN_FILE).write_text(f'{{"of": {version}}}')
    (folder / LITERT_FILE).write_bytes(b"network" * 1000)
    (folder / "saved_model" / "variables").mkdir(parents=True, exist_ok=True)
    (folder / "saved_model" / "variables" / "data").write_bytes(bytes(3 * 2**20))
    files = {path.relative_to(folder).as_posix(): digest_file(path) for path in folder.rglob("*") if path.is_file()}
    files.pop(MANIFEST_FILE, None)
    manifest = {"name": schema.name, "version": version, "run_id": RUN, "engine": "litert", "files": files | extra}
    (folder / MANIFEST_FILE).write_text(json.dumps(manifest))
    return digest_file(folder / MANIFEST_FILE)
