"""What is to be predicted from what: one TOML file a problem."""

import tomllib
from datetime import date
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from contract.errors import UserError

BUILT_IN = Path(__file__).parent / "flights.toml"


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


class Problem(BaseModel):
    """A table, a target, and the features that are known when the prediction is asked for."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    source: str
    target: TargetColumn
    split: Split
    slices: tuple[str, ...] = ()
    features: dict[str, dict[str, Any]]


def read_problem(path: Path) -> Problem:
    """Read a problem file; raise InvalidProblem naming the entry that is wrong."""
    try:
        return Problem.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise InvalidProblem(f"{path}: {error.strerror}") from None
    except tomllib.TOMLDecodeError as error:
        raise InvalidProblem(f"{path} is not valid TOML: {error}") from None
    except ValidationError as error:
        first = error.errors()[0]
        entry = ".".join(map(str, first["loc"]))
        raise InvalidProblem(f"{path}: `{entry}`: {first['msg'].lower()}") from None
