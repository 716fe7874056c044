"""What is wrong with a request is said in one sentence, in the protocol's own shape, and disturbs no other."""

import io
import json
from typing import Any

import grpc
import numpy as np
import pandas as pd
import pytest

from ekiben.model.package import PackedModel
from ekiben.service.protos import message
from tests.callers import INFER, JSON, PREDICT, call, columns
from tests.conftest import NAME, Server, serve
from tests.http_client import HTTP

pytestmark = pytest.mark.slow

INFERENCE = "inference.GRPCInferenceService/ModelInfer"
PREDICTION = "tensorflow.serving.PredictionService/Predict"
LONG = "x" * 100_000


@pytest.fixture
def row(model: PackedModel) -> dict[str, Any]:
    return dict(model.schema.example)


@pytest.fixture
def inputs(model: PackedModel, row: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {"name": name, "shape": [1], "datatype": datatype, "data": values}
        for name, (datatype, values) in columns(model.schema, [row]).items()
    ]


def reject(server: Server, path: str, body: Any, **headers: str) -> tuple[int, str]:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    rejected = HTTP.post(server.url + path, content=content, headers=JSON | headers)
    assert rejected.headers["content-type"] == "application/json"
    return rejected.status_code, rejected.json()["error"]


def change(inputs: list[dict[str, Any]], changing: str, /, **facts: Any) -> dict[str, Any]:
    """The request with other facts about one tensor; a fact that is None is left out."""
    changed = [{**one, **facts} if one["name"] == changing else one for one in inputs]
    return {"inputs": [{key: value for key, value in one.items() if value is not None} for one in changed]}


@pytest.mark.parametrize(
    ("facts", "sentence"),
    [
        ({"datatype": "FLOAT"}, "datatype FLOAT is unknown"),
        ({"datatype": None}, "tensor has no `datatype`"),
        ({"datatype": "FP16"}, "16-bit floats have no form in JSON"),
        ({"shape": [2]}, "has 1 values, its shape [2] is for 2"),
        ({"shape": [-1]}, "has the shape [-1]"),
        ({"shape": [10**12]}, "rows are more than"),
        ({"shape": [1, 2, 3]}, "expected [rows] or [rows, 1]"),
        ({"shape": "x"}, "has the shape 'x'"),
        ({"data": None}, "has no values"),
        ({"data": "x"}, "expected a list of values"),
        ({"data": ["far"]}, "expected a number, got 'far'"),
        ({"name": "distnce"}, "did you mean `distance`?"),
        ({"name": "carrier"}, "is there twice"),
        ({"parameters": {"binary_data_size": 4}}, "has both `data` and the parameter"),
        ({"data": None, "parameters": {"binary_data_size": 4}}, "inference-header-content-length is missing"),
    ],
)
def test_a_wrong_tensor_is_named(
    server: Server, inputs: list[dict[str, Any]], facts: dict[str, Any], sentence: str
) -> None:
    status, error = reject(server, INFER, change(inputs, "distance", **facts))
    assert (status in (400, 413), sentence in error) == (True, True), error


@pytest.mark.parametrize(
    ("length", "size", "tail", "sentence"),
    [
        ("x", 4, b"1234", "bytes are JSON, got 'x'"),
        ("99999", 4, b"1234", "bytes are JSON"),
        (None, 5, b"12345", "has 5 bytes, its shape and datatype are for 4"),
        (None, 4, b"12", "at most the 2"),
        (None, 4, b"123456", "2 bytes more than its JSON"),
        ("0", 4, b"1234", "a raw request is for models of one input"),
    ],
)
def test_a_wrong_binary_body_is_rejected(
    server: Server, inputs: list[dict[str, Any]], length: str | None, size: int, tail: bytes, sentence: str
) -> None:
    head = json.dumps(change(inputs, "distance", data=None, parameters={"binary_data_size": size})).encode()
    header = {"inference-header-content-length": length or str(len(head))}
    status, error = reject(server, INFER, head + tail, **header)
    assert (status, sentence in error) == (400, True), error


@pytest.mark.parametrize(
    ("path", "body", "status", "sentence"),
    [
        (INFER, b"{", 400, "not valid JSON"),
        (INFER, [], 400, "expected an object"),
        (INFER, {"inputs": []}, 400, "expected at least one tensor"),
        (INFER, {"inputs": 1}, 400, "expected a list of tensors"),
        (INFER, {"inputs": [], "parameters": {"timeout": 0}}, 400, "expected"),
        ("/v2/models/other/infer", {}, 404, "is not served here"),
        (f"/v2/models/{NAME}/versions/9/infer", {}, 404, "version '9'"),
        ("/v2/repository/models/x/load", {}, 404, "there is no model `x` in the BentoML store"),
        (f"/v2/repository/models/{NAME}/load", [], 400, "expected an object such as"),
        (f"/v2/repository/models/{NAME}/load", {"parameters": {"verion": "1"}}, 400, "did you mean"),
        (f"/v2/repository/models/{NAME}/load", {"parameters": {"version": 1.5}}, 400, "got 1.5"),
        (f"/v2/repository/models/{NAME}/load", {"parameters": {"version": "../1"}}, 404, "there is no version ../1"),
        (f"/v2/repository/models/{NAME}/load", {"parameters": {"version": "9"}}, 404, "there is no version 9"),
        (f"/v2/repository/models/{NAME}/load", {"parameters": {"force": 1}}, 400, "expected true or false"),
        (PREDICT, b"[", 400, "not valid JSON"),
        (PREDICT, {}, 400, "missing; it is required"),
        (PREDICT, {"instances": [], "inputs": []}, 400, "both `instances` and `inputs`"),
        (PREDICT, {"instances": []}, 400, "`instances`: expected at least one row"),
        (PREDICT, {"inputs": {}}, 400, "`inputs`: expected at least one row"),
        (PREDICT, {"instances": [{}]}, 400, "missing"),
        (PREDICT, {"instances": [[1]]}, 400, "expected 20 values"),
        (PREDICT, {"instances": [{}], "signature_name": "other"}, 400, "serving_default"),
        (PREDICT, {"instnces": []}, 400, "did you mean `instances`?"),
        (f"/v1/models/{NAME}/versions/x:predict", {}, 400, "'x'"),
        (f"/v1/models/{NAME}/versions/9:predict", {}, 404, "version '9'"),
        (f"/v1/models/{NAME}/labels/challenger:predict", {}, 404, "challenger"),
        (f"/v1/models/{NAME}:regress", {}, 400, "regress does not fit"),
        (f"/v1/models/{NAME}:explain", {}, 400, "missing; it is required"),
        (f"/v1/models/{NAME}:train", {}, 404, "nothing answers there"),
        ("/v2/systemsharedmemory/region/a/register", {}, 501, "send the tensors with the request"),
        (f"/v2/models/{NAME}/trace/setting", {}, 501, "tracing is not set here"),
        (f"/v2/models/{NAME}/generate", {}, 501, "text is not generated here"),
        (f"/v2/models/{NAME}/infr", {}, 404, "nothing answers there"),
        ("/predictt", {}, 404, "nothing answers at '/predictt'; did you mean `/predict`? /docs.json lists every"),
        ("/<b>", {}, 404, "nothing answers at '/<b>': /docs.json lists every route"),
        ("/livez", {}, 405, "POST is not allowed at '/livez'"),
        ("/invocations", {"dataframe_split": {"columns": ["a"], "data": [[1, 2]]}}, 400, "expected a list of 1 values"),
        ("/invocations", {"dataframe_split": {"columns": ["a", "a"], "data": []}}, 400, "is there twice"),
        ("/invocations", [], 400, "the body is an empty list"),
        ("/invocations", 1, 400, "expected an object"),
        ("/invocations", {"data": []}, 400, "`data`: expected at least one row"),
        (
            "/invocations",
            {"data": [[0, 1], 1]},
            400,
            "row 1: `data`: expected a list that begins with the row's number",
        ),
        ("/invocations", {"data": [[0, 1]]}, 400, "row 0: expected 20 values in the order of the features, got 1"),
        ("/invocations", {"data": [[0, 1]], "columns": ["a"]}, 400, "got none"),
        ("/invocations", {}, 400, "got none"),
    ],
)
def test_a_wrong_request_is_rejected(server: Server, path: str, body: Any, status: int, sentence: str) -> None:
    given, error = reject(server, path, body)
    assert (given, sentence in error) == (status, True), error


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/predict", {LONG: 1}),
        ("/predict", {"rows": LONG}),
        ("/predict", {"rows": [{LONG: LONG}]}),
        (INFER, {"inputs": [{"name": LONG, "shape": [1], "datatype": "BYTES", "data": [LONG]}]}),
        (INFER, {"inputs": [{"name": "carrier", "shape": [1], "datatype": LONG, "data": [LONG]}]}),
        (INFER, {"inputs": [], "outputs": [{"name": LONG}]}),
        (PREDICT, {LONG: 1}),
        (PREDICT, {"instances": [{LONG: LONG}]}),
        (PREDICT, {"instances": [{}], "signature_name": LONG}),
        ("/invocations", {LONG: 1}),
        ("/invocations", {"inputs": {LONG: [1, 2], f"{LONG}s": [1]}}),
        ("/invocations", {"dataframe_split": {LONG: 1}}),
        ("/invocations", {"dataframe_split": {"columns": [LONG, LONG], "data": [[1, 2]]}}),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_sentence_is_short_whatever_the_caller_wrote(server: Server, path: str, body: Any) -> None:
    status, error = reject(server, path, body)
    assert (status, len(error) < 2000) == (400, True), error[:200]


@pytest.mark.parametrize(
    ("kind", "body", "status", "sentence"),
    [
        ("text/csv", b"", 400, "the body is empty"),
        ("text/csv", b"\xff", 400, "not UTF-8"),
        ("text/csv", b"carrier,carrier\n1,2\n", 400, "is there twice"),
        ("text/csv", b'"a', 400, "in line 1"),
        ("text/csv", b"1,2\n1\n", 400, "expected 20 cells"),
        ("text/csv; charset=latin-1", b"1", 415, "charset=utf-8"),
        ("application/vnd.apache.parquet", b"PAR1", 400, "not a Parquet file"),
        ("application/vnd.apache.parquet", b"PAR1" + b"\xff" * 40 + b"PAR1", 400, "can't be read"),
        ("image/png", b"x", 415, "is not supported"),
    ],
)
def test_a_wrong_invocation_is_rejected(server: Server, kind: str, body: bytes, status: int, sentence: str) -> None:
    given, error = reject(server, "/invocations", body, **{"content-type": kind})
    assert (given, sentence in error) == (status, True), error


def test_a_damaged_parquet_file_harms_nobody(server: Server, row: dict[str, Any]) -> None:
    output = io.BytesIO()
    pd.DataFrame([row]).to_parquet(output)
    good, generator = output.getvalue(), np.random.default_rng(0)
    kind = {"content-type": "application/vnd.apache.parquet"}
    assert HTTP.post(f"{server.url}/invocations", content=good, headers=kind).status_code == 200
    for _ in range(30):
        damaged = bytearray(good)
        for index in generator.integers(4, len(good) - 4, 5):
            damaged[index] ^= int(generator.integers(1, 256))
        answered = HTTP.post(f"{server.url}/invocations", content=bytes(damaged), headers=kind)
        assert answered.status_code in (200, 400), answered.text
    assert HTTP.post(f"{server.url}/invocations", content=good, headers=kind).status_code == 200


def infer_request(inputs: list[dict[str, Any]]) -> Any:
    request = message("inference.ModelInferRequest")(model_name=NAME)
    for one in inputs:
        tensor = request.inputs.add(name=one["name"], datatype=one["datatype"], shape=one["shape"])
        values = one["data"]
        if one["datatype"] == "BYTES":
            tensor.contents.bytes_contents.extend([value.encode() for value in values])
        else:
            tensor.contents.fp32_contents.extend(values)
    return request


def reject_call(server: Server, method: str, request: Any, response: str) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.RpcError) as rejected:
        call(server, method, request, response)
    return rejected.value.code(), rejected.value.details()


def test_a_wrong_inference_call_is_rejected(server: Server, inputs: list[dict[str, Any]]) -> None:
    good = infer_request(inputs)
    wrong: dict[str, Any] = {"its protobuf can't be read": b"\xff\xff\xff"}
    wrong["contents"] = changed = infer_request(inputs)
    changed.raw_input_contents.append(b"1234")
    wrong["raw_input_contents for"] = changed = infer_request(inputs)
    for tensor in changed.inputs:
        tensor.ClearField("contents")
    changed.raw_input_contents.append(b"\x01\x00\x00\x00x")
    wrong["has fp64_contents, its datatype FP32 is for fp32_contents"] = changed = infer_request(inputs)
    changed.inputs[4].ClearField("contents")
    changed.inputs[4].contents.fp64_contents.append(1.0)
    wrong["its shape [3] is for 3"] = changed = infer_request(inputs)
    changed.inputs[4].shape[:] = [3]
    wrong["expected text in UTF-8"] = changed = infer_request(inputs)
    changed.inputs[0].contents.bytes_contents[0] = b"\xff"
    wrong["datatype FP99 is unknown"] = changed = infer_request(inputs)
    changed.inputs[4].datatype = "FP99"
    for sentence, request in wrong.items():
        code, details = reject_call(server, INFERENCE, request, "inference.ModelInferResponse")
        assert (code, sentence in details) == (grpc.StatusCode.INVALID_ARGUMENT, True), details
    good.model_version = "9"
    assert reject_call(server, INFERENCE, good, "inference.ModelInferResponse")[0] == grpc.StatusCode.NOT_FOUND


def test_a_wrong_prediction_call_is_rejected(server: Server, row: dict[str, Any]) -> None:
    def request(**spec: Any) -> Any:
        made = message("tensorflow.serving.PredictRequest")()
        for name, value in ({"name": NAME} | spec).items():
            setattr(made.model_spec, name, value)
        return made

    invalid, absent = grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND
    short = request()
    short.inputs["distance"].dtype = 1
    short.inputs["distance"].tensor_shape.dim.add(size=2)
    short.inputs["distance"].tensor_content = b"123"
    many = request()
    for name in ("distance", "carrier"):
        many.inputs[name].dtype = 1
        many.inputs[name].tensor_shape.dim.add(size=9000)
        many.inputs[name].float_val.append(1.0)
    wrong = {
        "its protobuf can't be read": (b"\xff", invalid),
        "2 values stand for 18000": (many, invalid),
        "is not served here": (request(name="other"), absent),
        "challenger": (request(version_label="challenger"), absent),
        "serving_default": (request(signature_name="x"), invalid),
        "`distance`: has 3 bytes in tensor_content": (short, invalid),
    }
    for sentence, (made, code) in wrong.items():
        given, details = reject_call(server, PREDICTION, made, "tensorflow.serving.PredictResponse")
        assert (given, sentence in details) == (code, True), details


def test_vertex_chooses_its_routes(model: PackedModel, tmp_path: Any, row: dict[str, Any]) -> None:
    routes = {"AIP_HEALTH_ROUTE": "/v1/endpoints/1/deployedModels/2"}
    routes["AIP_PREDICT_ROUTE"] = routes["AIP_HEALTH_ROUTE"] + ":predict"
    with serve(tmp_path, AIP_MODE="PREDICTION", **routes) as server:
        assert HTTP.get(server.url + routes["AIP_HEALTH_ROUTE"]).status_code == 200
        body = {"instances": [row], "parameters": {"x": 1}}
        answered = HTTP.post(server.url + routes["AIP_PREDICT_ROUTE"], json=body).json()
        assert answered["predictions"] == HTTP.post(server.url + PREDICT, json=body).json()["predictions"]
        assert HTTP.post(server.url + routes["AIP_PREDICT_ROUTE"], json={}).status_code == 400
