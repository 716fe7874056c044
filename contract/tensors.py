"""The schema as tensors: the inputs and outputs of every tensor protocol.

The datatypes have the Open Inference Protocol's names. Each tensor is a column, (rows,), but for
the probabilities of several classes, (rows, classes).
"""

from dataclasses import dataclass
from typing import Any

from ekiben.contract.answers import Answers, label_rows
from ekiben.contract.feature import Boolean, Feature, Number
from ekiben.contract.schema import INTERVAL, Schema, Target

LABEL_TYPES = {bool: "BOOL", int: "INT64", str: "BYTES"}


@dataclass(frozen=True)
class TensorSpec:
    """One tensor of the signature."""

    name: str
    datatype: str
    width: int | None = None  # None: a column, (rows,)


def input_specs(schema: Schema) -> tuple[TensorSpec, ...]:
    """Return a tensor for each feature; a missing value is NaN in FP32 and an empty string in BYTES."""
    return tuple(TensorSpec(feature.name, _input_type(feature)) for feature in schema.features)


def output_specs(target: Target) -> tuple[TensorSpec, ...]:
    """Return the tensors that `to_tensors` gives."""
    if target.task == "regression":
        return tuple(TensorSpec(name, "FP32") for name in INTERVAL)
    probability = TensorSpec("probability", "FP32")
    label = TensorSpec("label", LABEL_TYPES[type(target.classes[0])])
    if target.task == "binary":
        return probability, label
    return label, probability, TensorSpec("probabilities", "FP32", len(target.classes))


def to_tensors(target: Target, answers: Answers) -> dict[str, Any]:
    """Return the answers by the outputs' names: float32 arrays, and a list of labels."""
    if target.task == "regression":
        return {name: answers[:, index] for index, name in enumerate(INTERVAL)}
    labels = label_rows(target, answers)
    if target.task == "binary":
        return {"probability": answers[:, 0], "label": labels}
    return {"label": labels, "probability": answers.max(axis=1), "probabilities": answers}


def _input_type(feature: Feature) -> str:
    if isinstance(feature, Number) or (isinstance(feature, Boolean) and feature.nullable):
        return "FP32"
    return "BOOL" if isinstance(feature, Boolean) else "BYTES"
