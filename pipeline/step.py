"""What a step is given, and what it gives back."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from ekiben.pipeline.records.keeping import find_work
from ekiben.pipeline.records.record import StepRecord, Verdict
from ekiben.training.problem import ProblemConfig
from ekiben.training.streaming.scratch import Room


@dataclass(frozen=True)
class Options:
    """What a run can be told besides its problem file."""

    rows: int | None = None
    epochs: int | None = None
    seed: int = 0
    memory: int | None = None  # bytes; a larger table is trained on from the disk


@dataclass(frozen=True)
class Given:
    """What a step finds: the problem, and the records of the steps before it, by their names."""

    problem: ProblemConfig
    before: Mapping[str, StepRecord] = field(default_factory=dict)
    options: Options = Options()
    folder: Path = Path()  # for what the step makes
    room: Room | None = None  # for a table that may be larger than memory

    def find(self, step: str, name: str) -> Path:
        """Return a file that a step before made."""
        return find_work(self.before[step].key) / name

    @cached_property
    def run_id(self) -> str:
        """The run in MLflow."""
        return self.before["train"].mlflow_run or ""

    @cached_property
    def version(self) -> str:
        """The registered version."""
        return self.before["pack"].version or ""


@dataclass(frozen=True)
class Made:
    """What a step made, besides the files in its folder, and what its gates say."""

    sentence: str
    verdicts: tuple[Verdict, ...] = ()
    outputs: Mapping[str, str] = field(default_factory=dict)  # of what is kept elsewhere: name → digest
    mlflow_run: str | None = None
    version: str | None = None


class Step(Protocol):
    """A module of `pipeline.steps`."""

    BUILDS_ON: tuple[str, ...]  # the steps whose records decide what it makes
    GATED: bool  # whether what gates ask for does, too
    OPTIONS: tuple[str, ...]  # which options do

    def find_inputs(self, given: Given) -> dict[str, str]:
        """Return the digests of what else decides what it makes."""

    def run(self, given: Given) -> Made:
        """Do the step."""

    def check(self, given: Given, record: StepRecord) -> None:
        """Raise a UserError if what was made, besides files, is not there any more."""


def describe_options(options: Options, names: tuple[str, ...]) -> dict[str, Any]:
    """Return those options that are given, of these names."""
    return {name: value for name in names if (value := getattr(options, name))}
