"""The problem file: target, features, source and split of one prediction problem, in TOML."""

import os
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, ValidationError, model_validator

from ekiben.contract.errors import UserError
from ekiben.contract.faults import describe_fault, find_fault
from ekiben.contract.feature import DecimalMark, GroupingMark
from ekiben.contract.schema import Label, Task
from ekiben.training.card_config import CardText
from ekiben.training.decision_config import DecisionRule
from ekiben.training.feature_config import GROUPING, Declared
from ekiben.training.home import find_problem_file
from ekiben.training.network.links import Scale
from ekiben.training.pipeline_config import Behaviour, Pipeline
from ekiben.training.privacy_config import Privacy
from ekiben.training.retrain_config import Retrain
from ekiben.training.shape_config import check_directions, check_order
from ekiben.training.source_config import NULL, AnySource, Entry, FileSource
from ekiben.training.source_spelling import spell_columns
from ekiben.training.split_config import Split
from ekiben.training.toml_file import InvalidToml, read_toml

BUILT_IN = Path(__file__).resolve().parent / "flights.toml"
NUL = "\0"


class InvalidProblem(UserError):
    """The problem file can't be read or says something it should not."""


class TargetColumn(Entry):
    """The column to predict and what it means; classes that are not named are learned."""

    name: str = Field(description="the column")
    task: Task = Field(description="what is predicted of it")
    classes: tuple[Label, ...] = Field((), description="the labels, in the order of the answers; default: learned")
    ordered: tuple[Label, ...] = Field(
        (), description="in place of `classes`, of three labels and more that have an order: from the lowest on"
    )
    description: str = Field("", description="what it means, for callers and the model card")
    unit: str = Field("", description="of a number; it may stand behind the digits")
    decimal: DecimalMark = Field(".", description="decimal mark of a number")
    grouping: GroupingMark | None = Field(None, description=GROUPING)
    null: tuple[str, ...] = Field((), description=NULL)
    format: Literal["", "duration"] = Field("", description="`duration`: `0:41:07` is a number of seconds")
    scale: Literal["auto", Scale] = Field(
        "auto", description='of a number: what it is learned on; "auto": what validation rows speak for, with the '
        'bounds of counts and shares; "linear": as it is, without bounds',
    )  # fmt: skip

    @model_validator(mode="after")
    def check_scale(self) -> Self:
        """Reject a scale of classes."""
        if self.scale != "auto" and self.task != "regression":
            raise ValueError(f"scale: it is for numbers, and a {self.task} target has classes: leave it out")
        return self

    @model_validator(mode="after")
    def check_ordered(self) -> Self:
        """Reject an order of what has none to learn."""
        check_order(self.task, self.classes, self.ordered)
        return self


class Fairness(Entry):
    """Columns whose values are groups of rows that are to be treated alike."""

    groups: tuple[str, ...] = Field(min_length=1, description="the columns; they need not be features")


class ProblemConfig(Entry):
    """A table, a target, and the features that are known when the prediction is asked for."""

    name: str = Field(
        pattern=r"^[a-z][a-z0-9_]*$", max_length=63, description="of the model; it becomes a tag in two stores"
    )
    source: AnySource = Field(description="where the table is")
    target: TargetColumn = Field(description="the column to predict")
    decision: DecisionRule | None = Field(None, description="from which probability on a class is decided for")
    split: Split = Field(Split(), description="which rows are trained on, and which tested on")
    weight: str | None = Field(
        None, description="column that says for how many rows each stands, in training and in the scores; not a feature"
    )
    slices: tuple[str, ...] = Field((), description="columns by whose values the scores are reported too")
    fairness: Fairness | None = Field(None, description="groups that are compared")
    retrain: Retrain | None = Field(None, description="when `ekiben watch` trains again")
    features: dict[str, Declared] = Field(min_length=1, description="the columns to predict from")
    card: CardText = Field(CardText(), description="what the model card says in your words")
    privacy: Privacy = Field(Privacy(), description="which rows of the table a package carries, and how")
    ignored: dict[str, str] = Field(default_factory=dict, description="column → why it is not a feature")
    pipeline: Pipeline = Field(Pipeline(), description="what `ekiben run` reads, and what its gates ask for")
    behaviour: tuple[Behaviour, ...] = Field((), description="what a gate tries on changed rows")

    @model_validator(mode="before")
    @classmethod
    def spell_columns(cls, given: Any) -> Any:
        """Let what the source says of all columns hold for each of them."""
        return spell_columns(given)

    @model_validator(mode="after")
    def check_names(self) -> Self:
        """Reject a name that Keras can't store."""
        for name in self.features:
            if NUL in name:
                raise ValueError(f"a feature can't be called {name!r}, with a NUL character: rename the column")
        return self

    @model_validator(mode="after")
    def check_roles(self) -> Self:
        """Reject a column that is both a feature and something else."""
        weight, group = ({name} if name else set() for name in (self.weight, self.split.group))
        target = {self.target.name}
        for role, names in (("the target", target), ("ignored", self.ignored), ("the weight", weight)):
            if twice := sorted(self.features.keys() & set(names)):
                raise ValueError(f"`{twice[0]}` is a feature and {role}: it can only be one")
        if twice := sorted(self.features.keys() & group):
            raise ValueError(f"`{twice[0]}` is a feature and the group of the split: it can only be one")
        times = set(self.split.columns)
        if twice := sorted(target & (weight | group | times) | weight & (group | times)):
            raise ValueError(f"`{twice[0]}` is the weight, the group, the time or the target: it can only be one")
        return self

    @model_validator(mode="after")
    def check_fairness(self) -> Self:
        """Reject groups of a regression, which selects nobody."""
        if self.fairness and self.target.task == "regression":
            raise ValueError("fairness: a regression selects nobody: name the columns in `slices`")
        return self

    @model_validator(mode="after")
    def check_decision(self) -> Self:
        """Reject a threshold where there is nothing it could decide."""
        if self.decision and self.target.task != "binary":
            many = "of several classes the likeliest is the answer"
            why = many if self.target.task == "multiclass" else "a number is no decision"
            raise ValueError(f"decision: it is for two classes, and {why}: leave it out")
        return self

    @model_validator(mode="after")
    def check_monotone(self) -> Self:
        """Reject monotone features of classes without an order."""
        check_directions(self.target.task, bool(self.target.ordered), self.features)
        return self

    @model_validator(mode="after")
    def check_behaviour(self) -> Self:
        """Reject a test of what is not a feature, or of what can't be raised."""
        for expected in self.behaviour:
            declared = self.features.get(expected.feature)
            if declared is None:
                raise ValueError(f"behaviour: `{expected.feature}` is none of the features")
            if expected.test == "direction" and declared.kind != "number":
                raise ValueError(f"behaviour: `{expected.feature}` is a {declared.kind}: only a number can be raised")
        return self

    @property
    def groups(self) -> tuple[str, ...]:
        """The columns whose values are groups to be treated alike."""
        return self.fairness.groups if self.fairness else ()

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the table that are read."""
        told = filter(None, (self.weight, self.split.group))
        others = (self.target.name, *self.split.columns, *told, *self.slices, *self.groups)
        return tuple(dict.fromkeys((*self.features, *others)))


def load_problem(path: Path | None) -> ProblemConfig:
    """Read the problem file named, or this project's where it exists, or the built-in one."""
    found = find_problem_file()
    return read_problem(path or (found if found.exists() else BUILT_IN))


def choose_model(name: str | None) -> str:
    """Return the name of the model that is meant: the one named, MODEL_NAME's, or that of this project's problem."""
    return name or os.environ.get("MODEL_NAME") or load_problem(None).name


def read_problem(path: Path) -> ProblemConfig:
    """Read a problem file; raise InvalidProblem naming the entry that is wrong."""
    try:
        problem = ProblemConfig.model_validate(read_toml(path))
    except InvalidToml as error:
        raise InvalidProblem(str(error)) from None
    except ValidationError as error:
        (place, _) = find_fault(error)
        kind = 1 if place[:1] == ("source",) else None  # of source
        raise InvalidProblem(f"{path}: {describe_fault(error, leave_out=kind)}") from None
    if isinstance(problem.source, FileSource):
        located = problem.source.model_copy(update={"path": path.parent / problem.source.path})
        return problem.model_copy(update={"source": located})
    return problem
