"""What the model takes and gives, as TensorFlow's SignatureDef says it."""

from collections.abc import Iterable, Mapping
from typing import Any

from google.protobuf.json_format import MessageToDict

from ekiben.contract.schema import Schema
from ekiben.contract.tensors import TensorSpec, input_specs, output_specs
from ekiben.service.protocols.tensorflow_serving.model_spec import SIGNATURE
from ekiben.service.protocols.tensorflow_serving.tensor_proto import DTYPES, WRITTEN
from ekiben.service.protos import message

SIGNATURE_DEF = "signature_def"  # the only kind of metadata there is
METHOD = "tensorflow/serving/predict"
SignatureDefMap = message("tensorflow.serving.SignatureDefMap")


def describe_signature(schema: Schema) -> Any:
    """Return the message that holds the model's only signature."""
    described = SignatureDefMap()
    signature = described.signature_def[SIGNATURE]
    signature.method_name = METHOD
    _fill(signature.inputs, input_specs(schema))
    _fill(signature.outputs, output_specs(schema.target))
    return described


def to_json(described: Any) -> Mapping[str, Any]:
    """Return a message with all its fields, as TensorFlow Serving writes it."""
    content: Mapping[str, Any] = MessageToDict(
        described, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    return content


def _fill(tensors: Any, specs: Iterable[TensorSpec]) -> None:
    for spec in specs:
        dtype, _ = WRITTEN[spec.datatype]
        tensor = tensors[spec.name]
        tensor.name = f"{spec.name}:0"
        tensor.dtype = DTYPES[dtype]
        tensor.tensor_shape.dim.add(size=-1)
        if spec.width is not None:
            tensor.tensor_shape.dim.add(size=spec.width)
