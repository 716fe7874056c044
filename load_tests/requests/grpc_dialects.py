"""The protocols over gRPC: the message each writes rows into, and where an answer has its predictions."""

from typing import Any

import numpy as np

from ekiben.contract.schema import Schema
from ekiben.load_tests.requests.http_dialects import Headers, RequestFormat
from ekiben.load_tests.requests.tensors import Rows, Tensor, to_columns
from ekiben.service.protos import enum, message

ModelInferRequest, ModelInferResponse = message("inference.ModelInferRequest"), message("inference.ModelInferResponse")
PredictRequest = message("tensorflow.serving.PredictRequest")
PredictResponse = message("tensorflow.serving.PredictResponse")
TYPES = enum("tensorflow.DataType")
OPEN_FIELDS = {"FP32": "fp32_contents", "BOOL": "bool_contents", "BYTES": "bytes_contents"}
TENSORFLOW_TYPES = {"FP32": "DT_FLOAT", "BOOL": "DT_BOOL", "BYTES": "DT_STRING"}
TENSORFLOW_FIELDS = {"FP32": "float_val", "BOOL": "bool_val", "BYTES": "string_val"}


def encode_raw(schema: Schema, rows: Rows) -> tuple[Headers, bytes]:
    """Write an Open Inference message with raw contents, as tritonclient does."""
    tensors = to_columns(schema, rows)
    inputs = [tensor.header for tensor in tensors]
    contents = [tensor.raw for tensor in tensors]
    return {}, serialize(ModelInferRequest(model_name=schema.name, inputs=inputs, raw_input_contents=contents))


def encode_typed(schema: Schema, rows: Rows) -> tuple[Headers, bytes]:
    """Write an Open Inference message with typed contents."""
    inputs = [t.header | {"contents": {OPEN_FIELDS[t.datatype]: t.filled}} for t in to_columns(schema, rows)]
    return {}, serialize(ModelInferRequest(model_name=schema.name, inputs=inputs))


def read_open(answer: bytes, output: str) -> list[float]:
    """Read an Open Inference answer; raw if the request was."""
    response = ModelInferResponse.FromString(answer)
    index = [tensor.name for tensor in response.outputs].index(output)
    if response.raw_output_contents:
        return list(np.frombuffer(response.raw_output_contents[index], "<f4"))
    return list(response.outputs[index].contents.fp32_contents)


def encode_tensorflow(schema: Schema, rows: Rows) -> tuple[Headers, bytes]:
    """Write TensorFlow Serving's message."""
    inputs = {tensor.name: to_tensor_proto(tensor) for tensor in to_columns(schema, rows)}
    return {}, serialize(PredictRequest(model_spec={"name": schema.name}, inputs=inputs))


def to_tensor_proto(tensor: Tensor) -> dict[str, Any]:
    """Return a tensor as `tf.make_tensor_proto` writes it: raw, unless it is strings or a single value."""
    rows = len(tensor.values)
    proto = {"dtype": TYPES[TENSORFLOW_TYPES[tensor.datatype]], "tensor_shape": {"dim": [{"size": rows}]}}
    if rows > 1 and tensor.datatype != "BYTES":
        return proto | {"tensor_content": tensor.raw}
    return proto | {TENSORFLOW_FIELDS[tensor.datatype]: tensor.filled}


def read_tensorflow(answer: bytes, output: str) -> list[float]:
    """Read TensorFlow Serving's answer, typed as TensorFlow Serving has it."""
    return list(PredictResponse.FromString(answer).outputs[output].float_val)


def serialize(written: Any) -> bytes:
    """Return a message's bytes."""
    return bytes(written.SerializeToString())


OIP_PATH = "/inference.GRPCInferenceService/ModelInfer"
OIP_RAW = RequestFormat("OIP gRPC raw", OIP_PATH, encode_raw, read_open, grpc=True)
OIP_TYPED = RequestFormat("OIP gRPC typed", OIP_PATH, encode_typed, read_open, grpc=True)
TFS_GRPC = RequestFormat(
    "TFS gRPC", "/tensorflow.serving.PredictionService/Predict", encode_tensorflow, read_tensorflow, grpc=True
)
