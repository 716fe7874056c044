"""The packed model: the folder training wrote into the BentoML model store, checked before use."""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal, Self

import bentoml
import numpy as np
from bentoml.exceptions import BentoMLException
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from contract.answers import Answers
from contract.encode import Encoder
from contract.errors import InvalidInput, InvalidModel
from contract.feature import Value
from contract.schema import Schema, Target, load_schema
from service.engine import Engine, load_engine

SCHEMA_FILE = "schema.json"
GOLDEN_FILE = "golden.json"
LITERT_FILE = "model.tflite"
SAVED_MODEL_FOLDER = "saved_model"
MANIFEST_FILE = "manifest.json"  # which model this is, and the SHA-256 of every other file
CHAMPION = "champion"  # the registry's alias of the version that is packed, and so served
MAX_GOLDEN_DIFFERENCE = 1e-5
MEND = "pack it again with `make train`"


class Manifest(BaseModel):
    """Which model a packed folder holds, and the SHA-256 of each of its files."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    version: str
    run_id: str
    engine: Literal["litert", "tensorflow"]
    files: dict[str, str]

    @model_validator(mode="after")
    def check_files(self) -> Self:
        """Refuse a manifest that leaves out what is needed to serve."""
        needed = {SCHEMA_FILE, GOLDEN_FILE} | ({LITERT_FILE} if self.engine == "litert" else set())
        if not needed <= self.files.keys():
            raise ValueError(f"no digest of {min(needed - self.files.keys())}")
        return self


class Golden(BaseModel):
    """Held-out rows and what the trained network answered, (rows, outputs)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rows: list[dict[str, Value]] = Field(min_length=1)
    answers: list[list[float]]


@dataclass(frozen=True)
class PackedModel:
    """A model whose files are the ones that were packed."""

    path: Path
    schema: Schema
    manifest: Manifest

    @cached_property
    def name(self) -> str:
        return self.schema.name

    @cached_property
    def version(self) -> str:
        """The registered version, as MLflow numbers it."""
        return self.manifest.version

    def start_engine(self) -> Engine:
        """Load the engine chosen at packing; raise InvalidModel unless it gives the golden answers."""
        engine = load_engine(self.manifest.engine, self.path / LITERT_FILE, self.path / SAVED_MODEL_FOLDER)
        difference = replay_golden(self.path / GOLDEN_FILE, self.schema, engine)
        if not difference <= MAX_GOLDEN_DIFFERENCE:  # NaN is no agreement either
            raise InvalidModel(
                f"the model in {self.path} answers its golden rows up to {difference:.2g} away from what it "
                f"answered in training (at most {MAX_GOLDEN_DIFFERENCE:g} is allowed): {MEND}"
            )
        return engine


def find_model(name: str) -> bentoml.Model:
    """Return the newest model of that name in the BentoML store, or of the only name there if none is given.

    Raises InvalidModel if there is none, or several to choose from.
    """
    name = name or _find_name()
    try:
        return bentoml.models.get(f"{name}:latest")
    except BentoMLException:
        raise InvalidModel(f"there is no model `{name}` in the BentoML store: run `make train` first") from None


def _find_name() -> str:
    names = sorted({model.tag.name for model in bentoml.models.list() if "run_id" in model.info.labels})
    if not names:
        raise InvalidModel("there is no model in the BentoML store: run `make train` first")
    if len(names) > 1:
        raise InvalidModel(f"the BentoML store has {', '.join(names)}: choose one with MODEL_NAME={names[0]}")
    return names[0]


def open_model(path: Path) -> PackedModel:
    """Read a packed model; raise InvalidModel naming the file that is missing or not as it was packed."""
    try:
        manifest = Manifest.model_validate_json((path / MANIFEST_FILE).read_bytes())
    except (OSError, ValidationError):
        raise InvalidModel(f"{path / MANIFEST_FILE} is missing or damaged: {MEND}") from None
    for file, digest in manifest.files.items():
        if not (path / file).is_file():
            raise InvalidModel(f"{path / file} is missing: {MEND}")
        if digest_file(path / file) != digest:
            raise InvalidModel(f"{path / file} is not the file that was packed: {MEND}")
    return PackedModel(path, load_schema(path / SCHEMA_FILE), manifest)


def engine_kind(folder: Path) -> Literal["litert", "tensorflow"]:
    """Return which engine a packed folder is for: LiteRT wherever its file could be made."""
    return "litert" if (folder / LITERT_FILE).exists() else "tensorflow"


def replay_golden(path: Path, schema: Schema, engine: Engine) -> float:
    """Return the largest difference between the engine's answers and the golden ones."""
    try:
        golden = Golden.model_validate_json(path.read_bytes())
        encoded = Encoder(schema).encode_rows(golden.rows)
        wanted = np.array(golden.answers, np.float32)
    except InvalidInput as error:
        raise InvalidModel(f"a golden row in {path} does not fit the schema ({error}): {MEND}") from error
    except ValueError:  # no JSON, not that shape, or ragged
        raise InvalidModel(f"{path} is damaged: {MEND}") from None
    given = engine.run(encoded)
    if given.shape != wanted.shape:
        raise InvalidModel(f"{path} has answers of shape {wanted.shape}, the network gives {given.shape}: {MEND}")
    return measure_difference(schema.target, given, wanted)


def measure_difference(target: Target, given: Answers, wanted: Answers) -> float:
    """Return the largest difference between two arrays of answers, in units of the target's scale.

    Where an answer is larger than the scale its own size is the unit: float32 knows no better.
    """
    return float((np.abs(given - wanted) / np.maximum(target.scale, np.abs(wanted))).max())


def digest_file(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
