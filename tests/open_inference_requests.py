"""Requests of the Open Inference Protocol over gRPC, as Triton's client writes them."""

import struct
from typing import Any

from tritonclient.grpc import service_pb2

from ekiben.contract.tensors import input_specs
from ekiben.model.package import PackedModel
from tests.conftest import NAME


def typed_request(model: PackedModel, rows: list[dict[str, Any]]) -> Any:
    request = service_pb2.ModelInferRequest(model_name=NAME)
    for spec in input_specs(model.schema):
        tensor = request.inputs.add(name=spec.name, datatype=spec.datatype, shape=[len(rows), 1])
        values = [row[spec.name] for row in rows]
        if spec.datatype == "BYTES":
            tensor.contents.bytes_contents.extend([value.encode() for value in values])
        else:
            tensor.contents.fp32_contents.extend([float("nan") if value is None else value for value in values])
    return request


def raw_request(model: PackedModel, rows: list[dict[str, Any]]) -> Any:
    request = typed_request(model, rows)
    for tensor in request.inputs:
        strings = tensor.contents.bytes_contents
        numbers = tensor.contents.fp32_contents
        packed = b"".join(struct.pack("<I", len(text)) + text for text in strings)
        request.raw_input_contents.append(packed or struct.pack(f"<{len(numbers)}f", *numbers))
        tensor.ClearField("contents")
    return request
