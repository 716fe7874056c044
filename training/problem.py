"""What is to be predicted from what: one TOML file a problem."""

import tomllib
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from contract.errors import UserError
from contract.feature import Cycle

BUILT_IN = Path(__file__).parent / "flights.toml"


# What a SavedModel's signature can name.
FeatureName = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$")]


class InvalidProblem(UserError):
    """The problem file can't be read or says something it should not."""


class TargetColumn(BaseModel):
    """The column to predict and what it means."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    description: str = ""


class Split(BaseModel):
    """Rows before `validate_from` train, those from `test_from` on test, those between validate."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    time: str
    validate_from: date
    test_from: date


class Declared(BaseModel):
    """What is said of a feature beforehand; the rest is learned from its column."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["number", "category", "boolean", "timestamp"]
    description: str = ""
    unit: str = ""
    nullable: bool = False
    low: float = 0.0
    high: float = 0.0
    cycles: tuple[Cycle, ...] = ()

    def facts(self) -> dict[str, Any]:
        """Return what is said, and only that."""
        return self.model_dump(exclude_unset=True)


class Problem(BaseModel):
    """A table, a target, and the features that are known when the prediction is asked for."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")  # it becomes a tag in two stores
    source: Literal["flights"]
    target: TargetColumn
    split: Split
    slices: tuple[str, ...] = ()
    features: dict[FeatureName, Declared] = Field(min_length=1)


def read_problem(path: Path) -> Problem:
    """Read a problem file; raise InvalidProblem naming the entry that is wrong."""
    try:
        return Problem.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise InvalidProblem(f"{path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidProblem(f"{path} is not valid TOML: {error}") from None
    except ValidationError as error:
        first = error.errors()[0]
        entry = ".".join(map(str, first["loc"]))
        raise InvalidProblem(f"{path}: `{entry}`: {first['msg'].lower()}") from None
