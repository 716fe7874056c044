"""The packed model: a folder that training wrote, checked before use."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal, Self

import bentoml
import numpy as np
from bentoml.exceptions import BentoMLException
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ekiben.contract.answers import Answers
from ekiben.contract.encode import Encoder
from ekiben.contract.errors import InvalidInput, InvalidModel
from ekiben.contract.feature import Value
from ekiben.contract.schema import Schema, Target, load_schema
from ekiben.model.engine import Engine, load_engine
from ekiben.model.integrity import find_changes, is_inside

SCHEMA_FILE = "schema.json"
GOLDEN_FILE = "golden.json"
LITERT_FILE = "model.tflite"
SAVED_MODEL_FOLDER = "saved_model"
MANIFEST_FILE = "manifest.json"  # which model this is, and the SHA-256 of every other file
DIGEST_LABEL = "manifest_digest"  # in the BentoML store: the SHA-256 of the manifest as it was packed
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
        """Reject a manifest that leaves out what is needed to serve, or names a file outside its folder."""
        needed = {SCHEMA_FILE, GOLDEN_FILE} | ({LITERT_FILE} if self.engine == "litert" else set())
        if not needed <= self.files.keys():
            raise ValueError(f"no digest of {min(needed - self.files.keys())}")
        if not all(map(is_inside, self.files)):
            raise ValueError("a file outside the folder")
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
    digest: str = ""  # the manifest's SHA-256

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


def open_stored(stored: bentoml.Model, expected_digest: str = "") -> PackedModel:
    """Read a model of the BentoML store; raise InvalidModel unless it is as it was packed.

    With `expected_digest` its manifest must be that very one: who can write the store can change its labels too.
    """
    digest = stored.info.labels.get(DIGEST_LABEL)
    if digest is None:
        raise InvalidModel(f"{stored.path} was packed before its manifest's digest was kept with it: {MEND}")
    if expected_digest and digest != expected_digest:
        remedy = "serve the model that it is of, or set it to this digest if you packed this model"
        raise InvalidModel(
            f"{stored.path} has the manifest digest {digest}, but MODEL_DIGEST={expected_digest}: {remedy}"
        )
    return open_model(Path(stored.path), digest)


def open_model(path: Path, digest: str) -> PackedModel:
    """Read the packed folder whose manifest has this SHA-256.

    Raise InvalidModel naming the file that is missing, not as it was packed, or was not packed at all.
    """
    manifest = _read_manifest(path / MANIFEST_FILE)
    change = next(find_changes(path, {**manifest.files, MANIFEST_FILE: digest}), None)
    if change:
        raise InvalidModel(f"{change}: {MEND}")
    return PackedModel(path, load_schema(path / SCHEMA_FILE), manifest, digest)


def _read_manifest(path: Path) -> Manifest:
    try:
        return Manifest.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        raise InvalidModel(f"{path} is missing or damaged: {MEND}") from None


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
