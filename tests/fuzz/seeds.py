"""One good request of each form of each protocol, to mutate."""

import gzip
import json
import struct
from dataclasses import dataclass
from typing import Any

from ekiben.service.protos import message
from tests.fuzz.service import MANIFEST, ROW, SCHEMA

JSON = {"content-type": "application/json"}
TYPES = dict(zip(SCHEMA.names, ("FP32", "BYTES", "INT64", "BOOL", "BYTES"), strict=True))
INFER = f"/v2/models/{MANIFEST.name}/infer"
PREDICT = f"/v1/models/{MANIFEST.name}:predict"


@dataclass(frozen=True)
class Seed:
    """A good request; without headers it is a gRPC call."""

    name: str
    path: str
    headers: dict[str, str] | None
    body: bytes


def as_json(name: str, path: str, content: Any, **headers: str) -> Seed:
    return Seed(name, path, JSON | headers, json.dumps(content, ensure_ascii=False).encode())


def to_raw(datatype: str, value: Any) -> bytes:
    if datatype == "BYTES":
        return struct.pack("<I", len(value.encode())) + value.encode()
    return struct.pack({"FP32": "<f", "INT64": "<q", "BOOL": "<?"}[datatype], value)


def tensors(**more: Any) -> list[dict[str, Any]]:
    return [{"name": name, "shape": [1], "datatype": TYPES[name], **more} for name in SCHEMA.names]


def oip_json() -> Seed:
    inputs = [{**tensor, "data": [ROW[tensor["name"]]]} for tensor in tensors()]
    asked = [{"name": "probabilities", "parameters": {"classification": 2}}, {"name": "label"}]
    content = {"id": "1", "parameters": {"timeout": 1000000}, "inputs": inputs, "outputs": asked}
    return as_json("oip_json", INFER, content)


def oip_binary() -> Seed:
    raw = [to_raw(TYPES[name], ROW[name]) for name in SCHEMA.names]
    inputs = [
        {**tensor, "parameters": {"binary_data_size": len(content)}}
        for tensor, content in zip(tensors(), raw, strict=True)
    ]
    head = json.dumps({"inputs": inputs, "parameters": {"binary_data_output": True}}).encode()
    return Seed("oip_binary", INFER, {"inference-header-content-length": str(len(head))}, head + b"".join(raw))


def oip_grpc(raw: bool) -> Seed:
    request = message("inference.ModelInferRequest")(model_name=MANIFEST.name, id="1")
    fields = {"FP32": "fp32_contents", "BYTES": "bytes_contents", "INT64": "int64_contents", "BOOL": "bool_contents"}
    for name in SCHEMA.names:
        tensor = request.inputs.add(name=name, datatype=TYPES[name], shape=[1])
        if raw:
            request.raw_input_contents.append(to_raw(TYPES[name], ROW[name]))
        else:
            value = ROW[name]
            field = getattr(tensor.contents, fields[TYPES[name]])
            field.append(value.encode() if isinstance(value, str) else value)
    path = "inference.GRPCInferenceService/ModelInfer"
    return Seed("oip_grpc_raw" if raw else "oip_grpc_typed", path, None, request.SerializeToString())


def tfs_grpc() -> Seed:
    request = message("tensorflow.serving.PredictRequest")()
    request.model_spec.name = MANIFEST.name
    kinds = {"FP32": (1, "float_val"), "BYTES": (7, "string_val"), "INT64": (9, "int64_val"), "BOOL": (10, "bool_val")}
    for name in SCHEMA.names:
        dtype, field = kinds[TYPES[name]]
        tensor = request.inputs[name]
        tensor.dtype = dtype
        tensor.tensor_shape.dim.add(size=1)
        value = ROW[name]
        getattr(tensor, field).append(value.encode() if isinstance(value, str) else value)
    return Seed("tfs_grpc", "tensorflow.serving.PredictionService/Predict", None, request.SerializeToString())


def tfs_classify() -> Seed:
    request = message("tensorflow.serving.ClassificationRequest")()
    request.model_spec.name = MANIFEST.name
    features = request.input.example_list.examples.add().features.feature
    for name, value in ROW.items():
        if isinstance(value, str):
            features[name].bytes_list.value.append(value.encode())
        else:
            features[name].float_list.value.append(value)
    return Seed("tfs_classify", "tensorflow.serving.PredictionService/Classify", None, request.SerializeToString())


def csv_text() -> bytes:
    return (",".join(SCHEMA.names) + "\n" + ",".join(str(ROW[name]) for name in SCHEMA.names) + "\n").encode()


COLUMNS = {name: [value] for name, value in ROW.items()}
SEEDS = (
    as_json("predict", "/predict", {"rows": [ROW, ROW]}),
    Seed(
        "predict_gzip",
        "/predict",
        JSON | {"content-encoding": "gzip"},
        gzip.compress(json.dumps({"rows": ROW}).encode()),
    ),
    oip_json(),
    oip_binary(),
    oip_grpc(raw=True),
    oip_grpc(raw=False),
    as_json("tfs_rows", PREDICT, {"instances": [ROW, ROW], "signature_name": ""}),
    as_json("tfs_columns", PREDICT, {"inputs": COLUMNS}),
    as_json("tfs_examples", PREDICT.replace(":predict", ":classify"), {"examples": [ROW], "context": {}}),
    tfs_grpc(),
    tfs_classify(),
    as_json("split", "/invocations", {"dataframe_split": {"columns": list(ROW), "data": [list(ROW.values())]}}),
    as_json("records", "/invocations", {"dataframe_records": [ROW]}),
    as_json("inputs", "/invocations", {"inputs": COLUMNS}),
    Seed("csv", "/invocations", {"content-type": "text/csv"}, csv_text()),
)
