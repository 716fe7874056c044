"""What the server and its model say of themselves."""

import json
from typing import Any

from ekiben.contract.answers import name_classes
from ekiben.contract.explanation.background import BACKGROUND_FILE
from ekiben.contract.explanation.units import name_unit
from ekiben.contract.tensors import TensorSpec, input_specs, output_specs
from ekiben.contract.version import VERSION
from ekiben.model.package import PackedModel
from ekiben.service.protocols.open_inference.encode import EXPLANATION_OUTPUTS

SERVER = "ekiben"
EXTENSIONS = (
    "binary_tensor_data",
    "classification",
    "explanations",
    "model_configuration",
    "parameters",
    "schedule_policy",
    "statistics",
)


def describe_server() -> dict[str, Any]:
    """Return the server's metadata."""
    return {"name": SERVER, "version": VERSION, "extensions": list(EXTENSIONS)}


def describe_model(model: PackedModel) -> dict[str, Any]:
    """Return the model's metadata."""
    return {
        "name": model.name,
        "versions": [model.version],
        "platform": name_platform(model),
        "inputs": [_describe_tensor(spec) for spec in input_specs(model.schema)],
        "outputs": [_describe_tensor(spec) for spec in output_specs(model.schema.target)],
        "properties": describe_properties(model),
    }


def name_platform(model: PackedModel) -> str:
    """Return what computes the answers, as <project>_<format>."""
    return f"{SERVER}_{model.manifest.engine}"


def describe_properties(model: PackedModel) -> dict[str, str]:
    """Return what tensors can't say: all of it strings, as the protocol wants."""
    target = model.schema.target
    properties = {"task": target.task, "run_id": model.manifest.run_id, "schema_digest": model.schema.digest}
    if optional := [one.name for one in model.schema.features if one.optional]:
        properties["optional_inputs"] = json.dumps(optional, ensure_ascii=False)
    if target.classes:  # in the order of `probabilities`
        properties["classes"] = json.dumps(name_classes(target), ensure_ascii=False)
    if target.task == "binary":  # from which on a label is the last class; the parameter `threshold` gives another
        properties["threshold"] = repr(target.threshold)
    if BACKGROUND_FILE in model.manifest.files:  # the request parameter `explain` adds these outputs
        properties["explanation_outputs"] = ",".join(EXPLANATION_OUTPUTS)
        properties["explanation_unit"] = name_unit(target)
    return properties


def _describe_tensor(spec: TensorSpec) -> dict[str, Any]:
    return {"name": spec.name, "datatype": spec.datatype, "shape": [-1, spec.width or 1]}
