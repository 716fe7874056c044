"""The pydantic row type of a schema: what the OpenAPI page and the BentoML client show."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, create_model

from ekiben.contract.feature import COUNTS, Category, Feature, Number, Timestamp
from ekiben.contract.schema import Schema, Target
from ekiben.contract.spellings.formats import is_clock
from ekiben.contract.validation import show

MAX_LISTED_VALUES = 20
PYTHON_TYPES: dict[str, Any] = {"number": float, "category": str, "boolean": bool, "timestamp": str}


def row_type(schema: Schema) -> type[BaseModel]:
    """Return a model with one described field per feature and a real row as its example."""
    fields: dict[str, Any] = {
        f"feature_{index}": (_annotate(feature), feature.default if feature.optional else ...)
        for index, feature in enumerate(schema.features)
    }
    example: Any = schema.example
    config = ConfigDict(extra="forbid", strict=True, json_schema_extra={"example": example})
    return create_model("Row", __config__=config, __doc__=f"One row of {schema.name}.", **fields)


def describe(feature: Feature) -> str:
    """Return what the feature is, its unit, and what it may hold, in a sentence or two."""
    unit = f" [{feature.unit}]" if feature.unit else ""
    parts = [f"{feature.description or feature.name}{unit}"]
    if isinstance(feature, Category):
        seen = [value for value in feature.vocabulary if value]
        more = ", …" if len(seen) > MAX_LISTED_VALUES else ""
        parts.append(f"Seen in training: {', '.join(seen[:MAX_LISTED_VALUES])}{more}")
    if isinstance(feature, Timestamp):
        parts.append(_describe_moment(feature))
    if isinstance(feature, Number) and feature.format:
        parts.append("In seconds")
    if feature.nullable:
        parts.append("null if unknown")
    if feature.optional:
        parts.append(f"May be left out: it then is {show(feature.default)}")
    return ". ".join(parts) + "."


def _describe_moment(feature: Timestamp) -> str:
    if is_clock(feature.format):
        return f"A time of day as {feature.format}"
    other = f", or as {feature.format}" if feature.format else ""
    return f"ISO 8601, {'with a UTC offset' if feature.zoned else 'local time, no UTC offset'}{other}"


def _annotate(feature: Feature) -> Any:
    limits: dict[str, Any] = {"ge": feature.low, "le": feature.high} if isinstance(feature, Number) else {}
    plain = int | str if isinstance(feature, Category) and feature.integers else PYTHON_TYPES[feature.kind]
    if isinstance(feature, Timestamp) and feature.format in COUNTS:
        plain = float | str
    bounded: Any = Annotated[plain, Field(**limits)]
    # The alias is the feature's name: it may hold spaces or dots, which no Python name can.
    details = Field(alias=feature.name, title=feature.name, description=describe(feature), examples=[feature.example])
    return Annotated[bounded | None if feature.nullable else bounded, details]


def predictions_type(schema: Schema) -> type[BaseModel]:
    """Return a model of the answer to a request: one prediction a row, in the rows' order."""
    target = schema.target
    about = target.description or target.name
    prediction = create_model("Prediction", __doc__=f"What the model says of one row: {about}.", **_outputs(target))
    return create_model(
        "Predictions",
        __doc__="One prediction for each row, in the rows' order.",
        predictions=(list[prediction], Field(description="one for each row, in the rows' order")),
        model=(str, Field(description="the model's name", examples=[schema.name])),
        version=(str, Field(description="its version in the model registry", examples=["1"])),
        warnings=(list[str], Field(description="warnings about the rows, such as a value never seen in training")),
    )


def describe_types(schema: Schema) -> dict[str, Any]:
    """Return the JSON Schemas of a row, a prediction and an answer, by their names in the OpenAPI document."""
    predictions = predictions_type(schema).model_json_schema(ref_template="#/components/schemas/{model}")
    defined = predictions.pop("$defs")
    return {"Row": row_type(schema).model_json_schema(), "Predictions": predictions, **defined}


def _outputs(target: Target) -> dict[str, Any]:
    """Return the fields of a prediction, those that `ekiben.contract.answers` fills."""
    if target.task == "regression":
        unit = f" [{target.unit}]" if target.unit else ""
        share = "the target lies in the 80% prediction interval from `low` to `high`"
        return {
            "value": (float, Field(description=f"the expected {target.name}{unit}")),
            "low": (float, Field(description=share)),
            "high": (float, Field(description=share)),
        }
    label = (Literal[target.classes], Field(description="the likelier class"))
    if target.task == "binary":
        positive = f"probability that {target.name} is {target.classes[-1]!r}"
        more = f": {target.description}" if target.description else ""
        return {"probability": (float, Field(ge=0, le=1, description=positive + more)), "label": label}
    return {
        "label": label,
        "probability": (float, Field(ge=0, le=1, description="its probability")),
        "probabilities": (dict[str, float], Field(description="the probability of each class")),
    }
