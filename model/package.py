"""The packed model: a folder that training wrote, checked before use."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ekiben.contract.errors import InvalidModel, UserError
from ekiben.contract.explanation.background import BACKGROUND_FILE, Background, load_background
from ekiben.contract.explanation.explaining import Explainer
from ekiben.contract.reference.reference import REFERENCE_FILE, Reference, load_reference
from ekiben.contract.schema import Schema, load_schema
from ekiben.model.engine import Engine, load_engine
from ekiben.model.golden import MAX_GOLDEN_DIFFERENCE, MEND, Golden, load_golden, replay_golden, try_example
from ekiben.model.importance import IMPORTANCE_FILE, Importance, load_importance
from ekiben.model.integrity import find_change, is_inside
from ekiben.model.provenance import Provenance, load_provenance
from ekiben.model.steps import Step, Steps, finish
from ekiben.model.training_scores import EVALUATION_FILE, TrainingScores, load_training_scores

SCHEMA_FILE = "schema.json"
GOLDEN_FILE = "golden.json"
LITERT_FILE = "model.tflite"
SAVED_MODEL_FOLDER = "saved_model"
PROVENANCE_FILE = "provenance.json"  # how the other files came to be; packages made before there was one lack it
CARD_FILE = "card.html"  # what it is and how good, for people
REPORT_FILE = "report.html"  # how good it is, how sure that is, and where it errs
MANIFEST_FILE = "manifest.json"  # which model this is, and the SHA-256 of every other file
PACKAGE = "package"  # the folder of these among the artifacts of an MLflow run
VERSION = r"[0-9]{1,19}"  # as MLflow numbers them
CHAMPION = "champion"  # the registry's alias of the version that is packed, and so served
CHALLENGER = "challenger"  # of one that is packed beside it, to be compared with it


class NothingToExplainBy(UserError):
    """A model was packed without the rows that explanations begin at."""

    def __init__(self, name: str, version: str) -> None:
        super().__init__(
            f"version {version} of {name} was packed without background rows, which explanations begin at: train it "
            'again with `ekiben train`, without `background = "omit"` in `[privacy]`'
        )


class NoGoldenRows(UserError):
    """A model was packed without the rows that are to be asked with."""

    def __init__(self, name: str, version: str) -> None:
        super().__init__(
            f"version {version} of {name} was packed without golden rows, which this asks with: pack one without "
            '`golden = "omit"` in `[privacy]` of the problem file'
        )


class Manifest(BaseModel):
    """Which model a packed folder holds, and the SHA-256 of each of its files."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    version: str = Field(pattern=f"^{VERSION}$")
    run_id: str
    engine: Literal["litert", "tensorflow"]
    files: dict[str, str]

    @model_validator(mode="after")
    def check_files(self) -> Self:
        """Reject a manifest that leaves out what is needed to serve, or names a file outside its folder."""
        needed = {SCHEMA_FILE} | ({LITERT_FILE} if self.engine == "litert" else set())
        if not needed <= self.files.keys():
            raise ValueError(f"no digest of {min(needed - self.files.keys())}")
        if not all(map(is_inside, self.files)):
            raise ValueError("a file outside the folder")
        return self


@dataclass(frozen=True)
class PackedModel:
    """A model whose files are the ones that were packed."""

    path: Path
    schema: Schema
    manifest: Manifest
    digest: str = ""  # the manifest's SHA-256
    alias: str = ""  # that it is served under, if not its own name

    @cached_property
    def name(self) -> str:
        return self.alias or self.schema.name

    @cached_property
    def version(self) -> str:
        """The registered version, as MLflow numbers it."""
        return self.manifest.version

    @cached_property
    def reference(self) -> Reference | None:
        """What training saw; None if the model was packed before its answers were part of that."""
        if REFERENCE_FILE not in self.manifest.files:
            return None
        reference = load_reference(self.path / REFERENCE_FILE)
        return reference if reference.answers else None

    @property
    def training_scores(self) -> TrainingScores | None:
        """How good it was on training's test rows; None if the model was packed before that was kept."""
        known = EVALUATION_FILE in self.manifest.files
        return load_training_scores(self.path / EVALUATION_FILE) if known else None

    @property
    def has_golden(self) -> bool:
        """Whether held-out rows are packed, by whose answers an engine is checked."""
        return GOLDEN_FILE in self.manifest.files

    def load_golden(self) -> Golden:
        """Read the golden rows; raise NoGoldenRows if it was packed without."""
        if not self.has_golden:
            raise NoGoldenRows(self.name, self.version)
        return load_golden(self.path / GOLDEN_FILE)

    @property
    def background(self) -> Background | None:
        """The rows that explanations begin at; None if the model was packed before there were any, or without."""
        known = BACKGROUND_FILE in self.manifest.files
        return load_background(self.path / BACKGROUND_FILE, self.schema) if known else None

    def open_explainer(self) -> Explainer:
        """Return what explains rows of this model; raise NothingToExplainBy if it was packed without background."""
        background = self.background
        if background is None:
            raise NothingToExplainBy(self.name, self.version)
        return Explainer(self.schema, background)

    @property
    def importance(self) -> Importance | None:
        """How much each feature matters; None if the model was packed before that was kept, or without background."""
        return load_importance(self.path / IMPORTANCE_FILE) if IMPORTANCE_FILE in self.manifest.files else None

    @property
    def provenance(self) -> Provenance | None:
        """How the model came to be; None if it was packed before that was kept."""
        return load_provenance(self.path / PROVENANCE_FILE) if PROVENANCE_FILE in self.manifest.files else None

    @property
    def reference_digest(self) -> str:
        """The SHA-256 of the reference's file, in hexadecimal."""
        return self.manifest.files[REFERENCE_FILE]

    def start_engine(self) -> Engine:
        """Load the engine chosen at packing; raise InvalidModel unless it gives the golden answers, or any without."""
        return finish(self.start_engine_in_steps())

    def start_engine_in_steps(self) -> Steps[Engine]:
        """Do the same in steps; TensorFlow takes seconds for the first."""
        yield Step.BRIEF if self.manifest.engine == "litert" else Step.UNLOCKED
        engine = load_engine(self.manifest.engine, self.path / LITERT_FILE, self.path / SAVED_MODEL_FOLDER)
        if not self.has_golden:
            yield from try_example(self.path, self.schema, engine)
            return engine
        difference = yield from replay_golden(self.path / GOLDEN_FILE, self.schema, engine)
        if not difference <= MAX_GOLDEN_DIFFERENCE:  # NaN is no agreement either
            raise InvalidModel(
                f"the model in {self.path} answers its golden rows up to {difference:.2g} away from what it "
                f"answered in training (at most {MAX_GOLDEN_DIFFERENCE:g} is allowed): {MEND}"
            )
        return engine


def open_model(path: Path, digest: str) -> PackedModel:
    """Read the packed folder whose manifest has this SHA-256.

    Raise InvalidModel naming the file that is missing, not as it was packed, or was not packed at all.
    """
    return finish(open_model_in_steps(path, digest))


def open_model_in_steps(path: Path, digest: str) -> Steps[PackedModel]:
    """Do the same in steps."""
    yield Step.UNLOCKED
    manifest = _read_manifest(path / MANIFEST_FILE)
    change = yield from find_change(path, {**manifest.files, MANIFEST_FILE: digest})
    if change:
        raise InvalidModel(f"{change}: {MEND}")
    yield Step.BRIEF
    return PackedModel(path, load_schema(path / SCHEMA_FILE), manifest, digest)


def _read_manifest(path: Path) -> Manifest:
    try:
        return Manifest.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        raise InvalidModel(f"{path} is missing or damaged: {MEND}") from None


def engine_kind(folder: Path) -> Literal["litert", "tensorflow"]:
    """Return which engine a packed folder is for: LiteRT wherever its file could be made."""
    return "litert" if (folder / LITERT_FILE).exists() else "tensorflow"
