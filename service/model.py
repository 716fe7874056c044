"""The packed model: the folder training wrote into the BentoML model store, checked before use."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bentoml
import numpy as np
from bentoml.exceptions import BentoMLException

from contract.encode import Encoder
from contract.errors import InvalidInput, InvalidModel
from contract.schema import Schema, load_schema
from service.engine import Engine, load_engine

SCHEMA_FILE = "schema.json"
GOLDEN_FILE = "golden.json"
LITERT_FILE = "model.tflite"
SAVED_MODEL_FOLDER = "saved_model"
MANIFEST_FILE = "manifest.json"  # which model this is, and the SHA-256 of every other file
MAX_GOLDEN_DIFFERENCE = 1e-5
MEND = "pack it again with `make train`"


@dataclass(frozen=True)
class PackedModel:
    """A model whose files are the ones that were packed."""

    path: Path
    schema: Schema
    manifest: Mapping[str, Any]

    @property
    def name(self) -> str:
        return self.schema.name

    @property
    def version(self) -> str:
        """The registered version, as MLflow numbers it."""
        return str(self.manifest["version"])

    def start_engine(self) -> Engine:
        """Load the engine chosen at packing; raise InvalidModel unless it gives the golden answers."""
        engine = load_engine(str(self.manifest["engine"]), self.path / LITERT_FILE, self.path / SAVED_MODEL_FOLDER)
        difference = compare_golden(self.path / GOLDEN_FILE, self.schema, engine)
        if not difference <= MAX_GOLDEN_DIFFERENCE:  # NaN is no agreement either
            raise InvalidModel(
                f"the model in {self.path} answers its golden rows up to {difference:.2g} away from what it "
                f"answered in training (at most {MAX_GOLDEN_DIFFERENCE:g} is allowed): {MEND}"
            )
        return engine


def find_model(name: str) -> bentoml.Model:
    """Return the newest model of that name in the BentoML store; raise InvalidModel if there is none."""
    try:
        return bentoml.models.get(f"{name}:latest")
    except BentoMLException:
        raise InvalidModel(f"there is no model `{name}` in the BentoML store: run `make train` first") from None


def open_model(path: Path) -> PackedModel:
    """Read a packed model; raise InvalidModel naming the file that is missing or not as it was packed."""
    try:
        manifest = json.loads((path / MANIFEST_FILE).read_bytes())
        digests = dict(manifest["files"])
    except (OSError, ValueError, KeyError, TypeError):
        raise InvalidModel(f"{path / MANIFEST_FILE} is missing or damaged: {MEND}") from None
    for file, digest in digests.items():
        if not (path / file).is_file():
            raise InvalidModel(f"{path / file} is missing: {MEND}")
        if digest_file(path / file) != digest:
            raise InvalidModel(f"{path / file} is not the file that was packed: {MEND}")
    return PackedModel(path, load_schema(path / SCHEMA_FILE), manifest)


def engine_kind(folder: Path) -> str:
    """Return which engine a packed folder is for: LiteRT wherever its file could be made."""
    return "litert" if (folder / LITERT_FILE).exists() else "tensorflow"


def compare_golden(path: Path, schema: Schema, engine: Engine) -> float:
    """Return the largest difference between the engine's answers and the golden ones."""
    golden = json.loads(path.read_bytes())
    try:
        encoded = Encoder(schema).encode_rows(golden["rows"])
    except InvalidInput as error:
        raise InvalidModel(f"a golden row in {path} does not fit the schema ({error}): {MEND}") from error
    return float(np.abs(engine.run(encoded) - np.asarray(golden["answers"], np.float32)).max())


def digest_file(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
