"""The protocols over HTTP: how each writes rows into a request, and where an answer has its predictions."""

import json
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ekiben.contract.schema import Schema
from ekiben.load_tests.requests.tensors import Rows, to_columns

LOADS = ((1, 1), (1, 8), (1, 64), (1, 256), (64, 16))  # (rows a request, requests in flight)
TWO_LOADS = frozenset({(1, 64), (64, 16)})
OIP_PATH = "/v2/models/{model}/infer"
JSON = {"Content-Type": "application/json"}
Headers = dict[str, str]


@dataclass(frozen=True)
class RequestFormat:
    """One way to ask. In `path`, over gRPC the method's, `{model}` stands for the model's name."""

    name: str
    path: str
    encode: Callable[[Schema, Rows], tuple[Headers, bytes]]
    read: Callable[[bytes, str], list[float]]  # an answer's output of that name
    grpc: bool = False
    loads: frozenset[tuple[int, int]] = TWO_LOADS


def encode_rows(schema: Schema, rows: Rows) -> tuple[Headers, bytes]:
    """Write Ekiben's own request."""
    return JSON, json.dumps({"rows": rows}).encode()


def encode_bare(schema: Schema, rows: Rows) -> tuple[Headers, bytes]:
    """Write the rows and nothing around them."""
    return JSON, json.dumps(rows).encode()


def encode_instances(schema: Schema, rows: Rows) -> tuple[Headers, bytes]:
    """Write TensorFlow Serving's row form."""
    return JSON, json.dumps({"instances": rows}).encode()


def encode_inputs(schema: Schema, rows: Rows) -> tuple[Headers, bytes]:
    """Write MLflow's columns, the form for a model whose signature has named tensors."""
    columns = {tensor.name: tensor.values for tensor in to_columns(schema, rows)}
    strings = {tensor.name for tensor in to_columns(schema, rows) if tensor.datatype == "BYTES"}
    filled = {
        name: [value or "" for value in values] if name in strings else values for name, values in columns.items()
    }
    return JSON, json.dumps({"inputs": filled}).encode()


def read_predictions(answer: bytes, output: str) -> list[float]:
    """Read a list of objects, bare or under `predictions`."""
    content = json.loads(answer)
    return [row[output] for row in (content["predictions"] if isinstance(content, dict) else content)]


def read_scored(answer: bytes, output: str) -> list[float]:
    """Read MLflow's answer: under `predictions` objects, or the network's outputs without names, the first of them."""
    rows = json.loads(answer)["predictions"]
    return [row[output] if isinstance(row, dict) else row[0] for row in rows]


def encode_open(schema: Schema, rows: Rows) -> tuple[Headers, bytes]:
    """Write an Open Inference request, all of it JSON."""
    inputs = [tensor.header | {"data": tensor.values} for tensor in to_columns(schema, rows)]
    return JSON, json.dumps({"inputs": inputs}).encode()


def read_open(answer: bytes, output: str) -> list[float]:
    """Read an Open Inference answer, all of it JSON."""
    outputs = {tensor["name"]: tensor["data"] for tensor in json.loads(answer)["outputs"]}
    return list(outputs[output])


def encode_binary(schema: Schema, rows: Rows) -> tuple[Headers, bytes]:
    """Write an Open Inference request whose tensors follow raw, and ask for the same, as tritonclient does."""
    tensors = to_columns(schema, rows)
    inputs = [tensor.header | {"parameters": {"binary_data_size": len(tensor.raw)}} for tensor in tensors]
    head = json.dumps({"inputs": inputs, "parameters": {"binary_data_output": True}}).encode()
    headers = {"Content-Type": "application/octet-stream", "Inference-Header-Content-Length": str(len(head))}
    return headers, head + b"".join(tensor.raw for tensor in tensors)


def read_binary(answer: bytes, output: str) -> list[float]:
    """Read an Open Inference answer whose tensors follow raw."""
    head, index = json.JSONDecoder().raw_decode(answer.decode("latin-1"))  # so that a character is a byte
    for tensor in head["outputs"]:
        size = tensor["parameters"]["binary_data_size"]
        if tensor["name"] == output:
            return list(np.frombuffer(answer[index : index + size], "<f4"))
        index += size
    raise KeyError(output)


PREDICT = RequestFormat("/predict", "/predict", encode_rows, read_predictions, loads=frozenset(LOADS))
BARE = RequestFormat("/predict, bare list", "/predict", encode_bare, read_predictions, loads=frozenset(LOADS))
OIP_JSON = RequestFormat("OIP HTTP JSON", OIP_PATH, encode_open, read_open)
OIP_BINARY = RequestFormat("OIP HTTP binary", OIP_PATH, encode_binary, read_binary)
INVOCATIONS = RequestFormat("/invocations", "/invocations", encode_inputs, read_scored)
TFS_REST = RequestFormat("TFS REST", "/v1/models/{model}:predict", encode_instances, read_predictions)
