"""Where a packed model comes from: `provenance.json`, an in-toto statement about the files of its package.

Its subjects are the packed files by their SHA-256; its predicate has two parts, as SLSA's has: `definition`, all that
determines the weights, and `run`, the one execution that made them.
"""

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from ekiben.contract.errors import InvalidModel
from ekiben.contract.faults import describe_fault
from ekiben.model.integrity import is_inside
from ekiben.model.moved_intervals import Moved

STATEMENT: Literal["https://in-toto.io/Statement/v1"] = "https://in-toto.io/Statement/v1"
PREDICATE: Literal["urn:ekiben:training:v1"] = "urn:ekiben:training:v1"
SHA256 = r"^[0-9a-f]{64}$"
MAX_BYTES = 16 * 2**20  # a problem of 2,000 columns takes less than 1 MB


class InvalidProvenance(InvalidModel):
    """The file says nothing that could be checked or repeated."""


class Part(BaseModel):
    """A part of the statement; a newer version's may hold more."""

    model_config = ConfigDict(frozen=True)


class Digests(Part):
    """The digests of a subject by algorithm, of which ours is one."""

    sha256: str = Field(pattern=SHA256)


class Subject(Part):
    """A packed file, by its path in the package."""

    name: str
    digest: Digests

    @field_validator("name")
    @classmethod
    def check_name(cls, name: str) -> str:
        """Reject a file outside the package."""
        if not is_inside(name):
            raise ValueError("a file outside the package")
        return name


class Source(Part):
    """The code: the commit of the working folder, how its files differ from it, and what was imported."""

    commit: str  # `unknown` outside git; with + where files differ
    patch: str | None = None  # the SHA-256 of the difference
    patch_kept: bool = False  # whether the difference is an artifact of the run
    version: str  # Ekiben's
    code: str  # the SHA-256 of Ekiben's modules that weights depend on


class Data(Part):
    """The rows that were trained, validated and tested on."""

    digest: str
    rows: int
    source: str  # as it calls itself; never with a password
    snapshot: str | None = None  # the kept table's digest
    first: str | None = None  # of the column that rows are split by
    last: str | None = None
    notes: tuple[str, ...] = ()  # what was left out


class Log(Part):
    """A service's log that was the table, and where its labels were."""

    folder: str
    labels: str | None = None


class Options(Part):
    """What was asked for on the command line, and the seed of the split."""

    seed: int
    split_seed: int
    epochs: int | None = None
    rows: int | None = None
    accept_schema_change: bool = False
    log: Log | None = None
    memory: int | None = None  # bytes, if the table was larger and trained on from the disk


class Machine(Part):
    """Where it ran, as far as sums of floats depend on it."""

    cpu: str
    cores: int
    architecture: str
    system: str
    python: str
    variables: dict[str, str] = {}  # of the environment: those that change TensorFlow's sums


class Environment(Part):
    """The lock file's SHA-256, if there was one, and what was installed."""

    lock: str | None = None
    packages: dict[str, str] = {}


class Definition(Part):
    """All that determines the weights."""

    source: Source
    data: Data
    problem: dict[str, Any]  # the problem file without secrets; features in their order, which weights depend on
    options: Options
    environment: Environment
    machine: Machine


class Champion(Part):
    """The version that answered before."""

    version: str
    manifest_digest: str | None = None  # None of one that was registered before that was published


class GateResult(Part):
    """What a gate of a pipeline decided."""

    gate: str
    verdict: Literal["go", "note", "stop"]
    sentence: str


class Run(Part):
    """The execution that made the files."""

    id: str
    began: str  # ISO, UTC
    packed: str
    champion: Champion | None = None
    gates: tuple[GateResult, ...] = ()  # before packing; later ones stand in the pipeline's records
    moved: Moved | None = None  # None: the network is as it was trained


class Predicate(Part):
    """How the subjects came to be."""

    definition: Definition
    run: Run


class Provenance(Part):
    """An in-toto statement, version 1."""

    model_config = ConfigDict(frozen=True, populate_by_name=True)

    type: Literal["https://in-toto.io/Statement/v1"] = Field(STATEMENT, alias="_type")
    subject: tuple[Subject, ...] = Field(min_length=1)
    predicate_type: Literal["urn:ekiben:training:v1"] = Field(PREDICATE, alias="predicateType")
    predicate: Predicate

    @property
    def definition(self) -> Definition:
        """All that determines the weights."""
        return self.predicate.definition

    @property
    def run(self) -> Run:
        """The execution that made the files."""
        return self.predicate.run

    @property
    def files(self) -> dict[str, str]:
        """The SHA-256 of each subject."""
        return {subject.name: subject.digest.sha256 for subject in self.subject}

    def save(self, path: Path) -> None:
        """Write the statement as JSON."""
        path.write_text(self.model_dump_json(by_alias=True, indent=1) + "\n", encoding="utf-8")


def load_provenance(path: Path) -> Provenance:
    """Read what `Provenance.save` wrote; raise InvalidProvenance naming what is wrong."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise InvalidProvenance(f"{path} can't be read ({error.strerror}): name a package's provenance.json") from None
    if len(content) > MAX_BYTES:
        raise InvalidProvenance(f"{path} has more than {MAX_BYTES // 2**20} MB: name a package's provenance.json")
    try:
        return Provenance.model_validate_json(content)
    except ValidationError as error:
        fault = describe_fault(error)
        raise InvalidProvenance(f"{path} is not a provenance statement ({fault}): fetch it again") from None
