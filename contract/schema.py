"""The schema: the features and the target, learned once and stored as JSON beside the model."""

import hashlib
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
    model_validator,
)

from ekiben.contract.errors import InvalidModel
from ekiben.contract.feature import Boolean, Category, Feature, Number, Timestamp, Value

INTERVAL = ("value", "low", "high")  # the mean, and the bounds of the 80% prediction interval
Task = Literal["binary", "multiclass", "regression"]
Label = bool | int | str
Cost = Annotated[float, Field(gt=0, allow_inf_nan=False)]
DECISION_THRESHOLD = 0.5  # where nobody said what a decision is to be good for


class Target(BaseModel):
    """What is predicted.

    Of two classes the last is the one whose probability is given, and which is decided for from the `threshold` on. A
    regression has no classes; `scale` is then the standard deviation of the target in the table, by which differences
    between answers are judged. Classes that are `ordered` go from the lowest to the highest.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    task: Task = "binary"
    classes: tuple[Label, ...] = ()
    ordered: bool = False
    scale: float = Field(1.0, gt=0)
    description: str = ""
    unit: str = ""
    threshold: float = Field(DECISION_THRESHOLD, ge=0, le=1)
    costs: tuple[Cost, Cost] | None = None  # of a false alarm and of a miss, if the threshold was chosen by them

    @model_validator(mode="after")
    def check_classes(self) -> Self:
        """Reject classes that don't go with the task."""
        count = len(set(map(repr, self.classes)))
        fits = {"binary": count == 2, "multiclass": count > 2, "regression": count == 0}
        if not fits[self.task] or count < len(self.classes):
            raise ValueError(f"{count} different classes are no {self.task}")
        if self.task != "binary" and (self.threshold != DECISION_THRESHOLD or self.costs):
            raise ValueError("only of two classes one is decided for from a threshold on")
        if self.ordered and self.task != "multiclass":
            raise ValueError("only of three classes and more an order says anything")
        return self

    @model_serializer(mode="wrap")
    def leave_out_usual(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out what nobody has chosen: a schema then is the same file, and has the same digest, as ever."""
        usual = {"threshold": DECISION_THRESHOLD, "costs": None, "ordered": False}
        return {name: value for name, value in write(self).items() if name not in usual or value != usual[name]}

    @property
    def outputs(self) -> tuple[str, ...]:
        """What each column of the network's answers holds."""
        if self.task == "binary":
            return ("probability",)
        return INTERVAL if self.task == "regression" else tuple(map(str, self.classes))


class Schema(BaseModel):
    """Everything a caller, a table and a model must agree on."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    features: tuple[Feature, ...]
    target: Target

    @model_validator(mode="after")
    def check_names(self) -> Self:
        """Reject two features of one name, and none at all."""
        names = [feature.name for feature in self.features]
        if not names or len(set(names)) < len(names):
            raise ValueError("expected features with names that differ")
        return self

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The features' names in the order of every column-wise array."""
        return tuple(feature.name for feature in self.features)

    @cached_property
    def plain(self) -> tuple[Number | Boolean, ...]:
        """The features that are one column of `numbers` as they are: its first columns."""
        return tuple(feature for feature in self.features if isinstance(feature, Number | Boolean))

    @cached_property
    def timestamps(self) -> tuple[Timestamp, ...]:
        """The features whose cycles are the other columns of `numbers`, in this order."""
        return tuple(feature for feature in self.features if isinstance(feature, Timestamp))

    @cached_property
    def categories(self) -> tuple[Category, ...]:
        """The features behind each column of `codes`."""
        return tuple(feature for feature in self.features if isinstance(feature, Category))

    @cached_property
    def number_names(self) -> tuple[str, ...]:
        """What each column of `numbers` holds, such as `distance` or `departure.hour.sin`."""
        points = (
            f"{feature.name}.{cycle}.{axis}"
            for feature in self.timestamps
            for cycle in feature.cycles
            for axis in ("sin", "cos")
        )
        return (*(feature.name for feature in self.plain), *points)

    @property
    def example(self) -> dict[str, Value]:
        """One real row of the training table."""
        return {feature.name: feature.example for feature in self.features}

    @cached_property
    def digest(self) -> str:
        """The SHA-256 of the schema's JSON, in hexadecimal."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()

    def save(self, path: Path) -> None:
        """Write the schema as JSON a person can read."""
        path.write_text(self.model_dump_json(indent=2) + "\n", encoding="utf-8")


def load_schema(path: Path) -> Schema:
    """Read a schema written by `Schema.save`; raise InvalidModel if it is missing or damaged."""
    try:
        return Schema.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise InvalidModel(f"{path} is not a readable schema: train the model again with `ekiben train`") from error
