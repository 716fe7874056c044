"""The Open Inference Protocol over HTTP against the running service: Triton's client, and requests no client sends."""

import asyncio
import json
import struct
from collections.abc import Callable
from typing import Any

import httpx
import numpy as np
import pytest
import tritonclient.http as triton
import tritonclient.http.aio as triton_aio
from tritonclient.utils import InferenceServerException

from ekiben.contract.tensors import input_specs
from ekiben.model.package import GOLDEN_FILE, PackedModel
from tests.callers import triton_inputs
from tests.conftest import NAME, Server
from tests.http_client import HTTP

pytestmark = pytest.mark.slow

INFER = f"/v2/models/{NAME}/infer"
LENGTH = "inference-header-content-length"
Json = dict[str, Any]
Tensors = list[Json]


@pytest.fixture(scope="module")
def rows(model: PackedModel) -> list[Json]:
    golden: list[Json] = json.loads((model.path / GOLDEN_FILE).read_text())["rows"]
    return golden[:40]


@pytest.fixture
def tensors(model: PackedModel, rows: list[Json]) -> Tensors:
    """Two rows."""
    return [
        {"name": s.name, "datatype": s.datatype, "shape": [2, 1], "data": [row[s.name] for row in rows[:2]]}
        for s in input_specs(model.schema)
    ]


def post(server: Server, content: Any, path: str = INFER, **headers: str) -> httpx.Response:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    return HTTP.post(server.url + path, content=body, headers=headers)


def rejection(answered: httpx.Response, status: int = 400) -> str:
    """The error's sentence; nothing else may be in the answer."""
    assert answered.status_code == status, answered.text
    assert answered.headers["content-type"] == "application/json"
    content = answered.json()
    assert list(content) == ["error"]
    return str(content["error"])


def predict(server: Server, rows: list[Json]) -> list[float]:
    answered = HTTP.post(f"{server.url}/predict", json={"rows": rows}).json()
    return [one["probability"] for one in answered["predictions"]]


def to_binary(tensors: Tensors, model: PackedModel) -> tuple[bytes, bytes]:
    """The same tensors as a header and what follows it."""
    heads, raw = [], []
    for tensor in tensors:
        content = pack(tensor["datatype"], tensor["data"])
        head = {key: value for key, value in tensor.items() if key != "data"}
        heads.append(head | {"parameters": {"binary_data_size": len(content)}})
        raw.append(content)
    return json.dumps({"inputs": heads}).encode(), b"".join(raw)


def pack(datatype: str, values: list[Any]) -> bytes:
    if datatype == "BYTES":
        return b"".join(struct.pack("<I", len(value.encode())) + value.encode() for value in values)
    return struct.pack(f"<{len(values)}f", *(float("nan") if value is None else value for value in values))


# What works


def test_json_is_answered_as_predict_answers(server: Server, rows: list[Json], tensors: Tensors) -> None:
    answered = post(server, {"id": "a/1", "inputs": tensors, "parameters": {"priority": 3, "sequence_id": 0}})
    assert answered.headers["content-type"] == "application/json"
    content = answered.json()
    label = {"name": "label", "datatype": "BOOL", "shape": [2, 1]}
    wanted = predict(server, rows[:2])
    assert content == {
        "model_name": NAME,
        "model_version": "1",
        "id": "a/1",
        "outputs": [
            {"name": "probability", "datatype": "FP32", "shape": [2, 1], "data": wanted},
            label | {"data": [one >= 0.5 for one in wanted]},
        ],
    }
    assert "id" not in post(server, {"inputs": tensors}).json()


@pytest.mark.parametrize(
    "path", [INFER, f"/v2/models/{NAME}/versions/1/infer", f"/v2/models/{NAME}/versions/champion/infer"]
)
def test_a_version_may_be_named(server: Server, tensors: Tensors, path: str) -> None:
    assert post(server, {"inputs": tensors}, path).status_code == 200


def test_outputs_are_those_asked_for_in_that_order(server: Server, tensors: Tensors) -> None:
    asked = [{"name": "label", "parameters": {"binary_data": True}}, {"name": "probability"}]
    answered = post(server, {"inputs": tensors, "outputs": asked})
    length = int(answered.headers[LENGTH])
    label, probability = json.loads(answered.content[:length])["outputs"]
    assert answered.headers["content-type"] == "application/octet-stream"
    assert (label["name"], label["parameters"], "data" in label) == ("label", {"binary_data_size": 2}, False)
    assert (probability["name"], len(probability["data"])) == ("probability", 2)
    assert answered.content[length:] == bytes(one >= 0.5 for one in probability["data"])
    one = post(server, {"inputs": tensors, "outputs": asked[1:], "parameters": {"binary_data_output": True}})
    assert struct.unpack("<2f", one.content[int(one.headers[LENGTH]) :]) == tuple(probability["data"])


def test_a_json_and_a_raw_tensor_may_be_mixed(
    server: Server, model: PackedModel, rows: list[Json], tensors: Tensors
) -> None:
    head, raw = to_binary(tensors[1::2], model)
    content = json.loads(head)
    content["inputs"] = content["inputs"] + tensors[0::2]
    body = json.dumps(content).encode()
    answered = post(server, body + raw, **{LENGTH: str(len(body))})
    assert answered.json()["outputs"][0]["data"] == predict(server, rows[:2])


@pytest.mark.parametrize(
    "options", [{}, {"request_compression_algorithm": "gzip"}, {"response_compression_algorithm": "gzip"}]
)
def test_tritons_aio_client_gets_the_same_bits(
    server: Server, model: PackedModel, rows: list[Json], options: Json
) -> None:
    async def ask() -> list[float]:
        async with triton_aio.InferenceServerClient(server.url.removeprefix("http://")) as client:
            assert await client.is_server_ready()
            answered = await client.infer(NAME, triton_inputs(triton_aio, model.schema, rows), **options)
        values: list[float] = answered.as_numpy("probability").ravel().tolist()
        return values

    assert asyncio.run(ask()) == predict(server, rows)


def test_tritons_client_may_send_one_tensor_of_strings(server: Server, model: PackedModel, rows: list[Json]) -> None:
    cells = np.array([["" if row[n] is None else str(row[n]) for n in model.schema.names] for row in rows], object)
    tensor = triton.InferInput("rows", list(cells.shape), "BYTES")
    tensor.set_data_from_numpy(cells)
    with triton.InferenceServerClient(server.url.removeprefix("http://")) as client:
        answered = client.infer(NAME, [tensor], priority=1, timeout=5_000_000)
    assert answered.as_numpy("probability").ravel().tolist() == predict(server, rows)
    assert answered.as_numpy("label").dtype == bool


def test_tritons_client_is_told_of_a_deadline_it_missed(server: Server, model: PackedModel, rows: list[Json]) -> None:
    with triton.InferenceServerClient(server.url.removeprefix("http://")) as client:
        inputs = triton_inputs(triton, model.schema, rows)
        with pytest.raises(InferenceServerException, match=r"deadline") as rejected:
            client.infer(NAME, inputs, timeout=1)
        assert rejected.value.status() in ("429", "504")


def test_the_earlier_of_two_deadlines_counts(server: Server, tensors: Tensors) -> None:
    late = {"inputs": tensors, "parameters": {"timeout": 60_000_000}}
    assert post(server, late).status_code == 200
    assert "deadline" in post(server, late, **{"x-request-timeout-ms": "0.001"}).json()["error"]


def test_the_server_says_what_it_is(server: Server, model: PackedModel) -> None:
    for path in ("/v2", "/v2/"):
        about = HTTP.get(server.url + path).json()
        assert (about["name"], len(about["extensions"])) == ("ekiben", 7)
    assert HTTP.get(f"{server.url}/v2/models").json() == {"models": [NAME]}
    assert HTTP.get(f"{server.url}/v2/models/stats").json()["model_stats"][0]["name"] == NAME
    assert HTTP.get(f"{server.url}/v2/health/ready").json() == {"ready": True, "live": True}
    properties = HTTP.get(f"{server.url}/v2/models/{NAME}").json()["properties"]
    assert properties["schema_digest"] == model.schema.digest
    assert json.loads(properties["classes"]) == ["false", "true"]


# What is rejected


def set_first(**change: Any) -> Callable[[Tensors], Any]:
    return lambda tensors: {"inputs": [tensors[0] | change, *tensors[1:]]}


def without(key: str) -> Callable[[Tensors], Any]:
    return lambda tensors: {"inputs": [{k: v for k, v in tensors[0].items() if k != key}, *tensors[1:]]}


def with_keys(**keys: Any) -> Callable[[Tensors], Any]:
    return lambda tensors: {"inputs": tensors} | keys


def matrix(shape: Any, data: Any, datatype: str = "FP32") -> Callable[[Tensors], Any]:
    return lambda tensors: {"inputs": [{"name": "rows", "datatype": datatype, "shape": shape, "data": data}]}


FIRST = "`scheduled_departure`: "
REJECTED: dict[str, tuple[Callable[[Tensors], Any], str]] = {
    "a list": (lambda tensors: tensors, 'expected an object such as {"inputs": [...]}, got a list'),
    "no inputs": (lambda _: {}, "`inputs`: expected a list of tensors, got null"),
    "inputs an object": (lambda _: {"inputs": {}}, "`inputs`: expected a list of tensors, got an object"),
    "inputs empty": (lambda _: {"inputs": []}, "`inputs`: expected at least one tensor, got an empty list"),
    "a tensor null": (lambda _: {"inputs": [None]}, "`inputs`: expected a list of tensors, got null in it"),
    "no name": (without("name"), "`inputs`: expected a string as a tensor's name, there is none"),
    "name a number": (set_first(name=7), "`inputs`: expected a string as a tensor's name, got 7"),
    "name a list": (set_first(name=[]), "`inputs`: expected a string as a tensor's name, got a list"),
    "name unknown": (set_first(name="scheduled"), "row 0: `scheduled`: unknown field"),
    "name twice": (set_first(name="carrier"), "`carrier`: is there twice: send one tensor of each name"),
    "no datatype": (without("datatype"), FIRST + "the tensor has no `datatype`"),
    "datatype unknown": (set_first(datatype="FP8"), FIRST + "datatype FP8 is unknown: send one of BOOL, UINT8"),
    "datatype a list": (set_first(datatype=[1]), FIRST + "datatype a list is unknown: send one of"),
    "datatype FP16": (set_first(datatype="FP16"), FIRST + "16-bit floats have no form in JSON"),
    "datatype and value wrong": (
        set_first(datatype="INT32", data=[1, 2]),
        "row 0: `scheduled_departure`: expected an ISO 8601 date and time as a string, got 1",
    ),
    "no shape": (without("shape"), FIRST + "the tensor has no `shape`"),
    "shape null": (set_first(shape=None), FIRST + "has the shape null: expected [rows] or [rows, 1]"),
    "shape empty": (set_first(shape=[]), FIRST + "has the shape []: expected [rows] or [rows, 1]"),
    "shape of floats": (set_first(shape=[2.0]), FIRST + "has the shape [2.0]: expected"),
    "shape of booleans": (set_first(shape=[True]), FIRST + "has the shape [True]: expected"),
    "shape negative": (set_first(shape=[-2]), FIRST + "has the shape [-2]: expected"),
    "shape of three": (set_first(shape=[2, 1, 1]), FIRST + "has the shape [2, 1, 1]: expected"),
    "shape too wide": (set_first(shape=[1, 2]), FIRST + "has the shape [1, 2]: expected [rows] or [rows, 1]"),
    "shape too small": (set_first(shape=[1]), FIRST + "has 2 values, its shape [1] is for 1: send as many"),
    "shape too large": (set_first(shape=[3]), FIRST + "has 2 values, its shape [3] is for 3: send as many"),
    "shape zero": (set_first(shape=[0]), FIRST + "has 2 values, its shape [0] is for 0: send as many"),
    "no data": (without("data"), FIRST + "has no values: send them in `data`, or raw"),
    "data a string": (set_first(data="ab"), FIRST + "expected a list of values in `data`, got 'ab'"),
    "data ragged": (set_first(data=[["a"], []]), FIRST + "has rows of another length in `data` than its shape"),
    "data half nested": (set_first(data=[["a"], "b"]), FIRST + "has rows of another length in `data` than its shape"),
    "data nested late": (set_first(data=["2013-07-01", ["b"]]), "row 1: `scheduled_departure`: expected an ISO 8601"),
    "rows differ": (
        set_first(shape=[1], data=["2013-07-01"]),
        "`carrier`: has 2 values, `scheduled_departure` has 1: send as many of each",
    ),
    "both forms": (
        set_first(parameters={"binary_data_size": 4}),
        FIRST + "has both `data` and the parameter `binary_data_size`: send one of them",
    ),
    "parameters a list": (set_first(parameters=[]), FIRST + "expected an object as parameters, got a list"),
    "no tensor of a feature": (lambda t: {"inputs": t[1:]}, "row 0: `scheduled_departure`: missing; it is required"),
    "id a number": (with_keys(id=5), "`id`: expected a string, got 5"),
    "id no Unicode": (with_keys(id="\ud800"), "`id`: expected a string, got '\\ud800'"),
    "all parameters a string": (with_keys(parameters="x"), "`parameters`: expected an object as parameters, got 'x'"),
    "timeout a string": (with_keys(parameters={"timeout": "1"}), "parameter `timeout`: expected whole microseconds"),
    "timeout zero": (with_keys(parameters={"timeout": 0}), "parameter `timeout`: expected whole microseconds above 0"),
    "timeout true": (with_keys(parameters={"timeout": True}), "parameter `timeout`: expected whole microseconds"),
    "binary a string": (
        with_keys(parameters={"binary_data_output": "yes"}),
        "parameter `binary_data_output`: expected true or false, got 'yes'",
    ),
    "outputs a string": (with_keys(outputs="label"), "`outputs`: expected a list of outputs, got 'label'"),
    "outputs of strings": (with_keys(outputs=["label"]), '`outputs`: expected objects such as {"name": "…"}'),
    "output unknown": (
        with_keys(outputs=[{"name": "lable"}]),
        "`outputs`: 'lable' is not an output of this model; did you",
    ),
    "output twice": (with_keys(outputs=[{"name": "label"}] * 2), "`outputs`: 'label' is there twice"),
    "output not classified": (
        with_keys(outputs=[{"name": "label", "parameters": {"classification": 1}}]),
        "`label`: there is no classification of this output: ask for it of `probability`",
    ),
    "matrix too narrow": (matrix([1, 3], [1, 2, 3]), "`rows`: has the shape [1, 3]: expected [rows] or [rows, 1], or"),
    "matrix too short": (matrix([2, 20], [[1] * 20]), "`rows`: has 20 values, its shape [2, 20] is for 40"),
    "matrix ragged": (matrix([2, 20], [[1] * 20, [1] * 19]), "`rows`: has rows of another length in `data`"),
    "matrix of numbers": (matrix([1, 20], [1] * 20), "row 0: `scheduled_departure`: expected an ISO 8601 date"),
}


@pytest.mark.parametrize(("make", "sentence"), REJECTED.values(), ids=REJECTED)
def test_what_is_malformed_is_named(
    server: Server, tensors: Tensors, make: Callable[[Tensors], Any], sentence: str
) -> None:
    said = rejection(post(server, make(tensors)))
    assert said.encode("utf-8", "backslashreplace").decode().startswith(sentence)


@pytest.mark.parametrize("claimed", [20_001, 2**62, 10**30])
def test_too_many_rows_are_rejected_before_they_are_made(server: Server, tensors: Tensors, claimed: int) -> None:
    answered = post(server, {"inputs": [tensors[0] | {"shape": [claimed, 1]}]})
    if claimed < 2**64:
        assert rejection(answered, 413) == f"{claimed} rows are more than 20000: send them in several requests"
    else:  # to JSON's reader that is a float
        assert rejection(answered).startswith(FIRST + "has the shape [1e+30, 1]")
    assert answered.elapsed.total_seconds() < 2


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[" * 100_000, b"NaN NaN"])
def test_what_is_no_json_is_rejected(server: Server, body: bytes) -> None:
    assert rejection(post(server, body)).startswith("the body is not valid JSON")
    assert rejection(post(server, body + b"rest", **{LENGTH: str(len(body) or 1)})).startswith(
        "the body is not valid JSON"
    )


def test_a_value_that_is_missing_is_named_as_predict_names_it(
    server: Server, rows: list[Json], tensors: Tensors
) -> None:
    wrong = next(index for index, tensor in enumerate(tensors) if tensor["name"] == "distance")
    tensors[wrong]["data"] = [1.0, None]
    said = rejection(post(server, {"inputs": tensors}))
    same = HTTP.post(f"{server.url}/predict", json={"rows": [rows[0] | {"distance": 1}, rows[1] | {"distance": None}]})
    assert said == same.json()["error"] == "row 1: `distance`: null is not allowed; expected a number"


def change_binary(**change: Any) -> Callable[[bytes, bytes], tuple[bytes, bytes]]:
    def make(head: bytes, raw: bytes) -> tuple[bytes, bytes]:
        content = json.loads(head)
        content["inputs"][0] |= change
        return json.dumps(content).encode(), raw

    return make


BINARY: dict[str, tuple[Callable[[bytes, bytes], tuple[bytes, bytes]], str]] = {
    "too short": (
        lambda head, raw: (head, raw[:-1]),
        "parameter `binary_data_size`: expected a number of bytes, at most",
    ),
    "too long": (lambda head, raw: (head, raw + b"xx"), "the body has 2 bytes more than its JSON and its tensors"),
    "size a string": (change_binary(parameters={"binary_data_size": "46"}), "that are left, got '46'"),
    "size negative": (change_binary(parameters={"binary_data_size": -1}), "that are left, got -1"),
    "size huge": (change_binary(parameters={"binary_data_size": 2**62}), f"that are left, got {2**62}"),
    "size too small": (change_binary(parameters={"binary_data_size": 45}), FIRST + "ends within text 1, which should"),
    "size for lengths alone": (change_binary(parameters={"binary_data_size": 3}), FIRST + "has 3 bytes, too few for"),
    "size too large": (
        change_binary(parameters={"binary_data_size": 50}),
        FIRST + "has 4 bytes more than its shape is",
    ),
    "shape too large": (change_binary(shape=[3]), FIRST + "ends before the length of text 2"),
    "another datatype": (change_binary(datatype="FP64"), FIRST + "has 46 bytes, its shape and datatype are for 16"),
    "another type": (
        change_binary(datatype="INT8", shape=[46]),
        "`carrier`: has 2 values, `scheduled_departure` has 46: send as many of each",
    ),
    "no UTF-8": (lambda head, raw: (head, raw[:4] + b"\xff" + raw[5:]), FIRST + "expected text in UTF-8, got other"),
    "a length too large": (lambda head, raw: (head, b"\xff" * 4 + raw[4:]), FIRST + "ends within text 0, which should"),
    "no JSON": (lambda head, raw: (head[:-1] + b" ", raw), "the body is not valid JSON"),
}


@pytest.mark.parametrize(("make", "sentence"), BINARY.values(), ids=BINARY)
def test_damaged_raw_tensors_are_named(
    server: Server,
    model: PackedModel,
    tensors: Tensors,
    make: Callable[[bytes, bytes], tuple[bytes, bytes]],
    sentence: str,
) -> None:
    head, raw = to_binary(tensors, model)
    assert post(server, head + raw, **{LENGTH: str(len(head))}).status_code == 200
    head, raw = make(head, raw)
    assert sentence in rejection(post(server, head + raw, **{LENGTH: str(len(head))}))


@pytest.mark.parametrize("length", ["-1", "x", "1e3", "99999999", "", "9" * 30, "１"])
def test_a_header_length_that_makes_no_sense_is_rejected(
    server: Server, model: PackedModel, tensors: Tensors, length: str
) -> None:
    head, raw = to_binary(tensors, model)
    answered = HTTP.post(server.url + INFER, content=head + raw, headers={LENGTH.encode(): length.encode()})
    assert rejection(answered).startswith(f"{LENGTH}: expected how many of the body's {len(head + raw)} bytes are JSON")


def test_raw_tensors_need_the_header_and_one_input(server: Server, model: PackedModel, tensors: Tensors) -> None:
    head, raw = to_binary(tensors, model)
    said = rejection(post(server, head))
    assert said == FIRST + f"has the parameter `binary_data_size`, but the header {LENGTH} is missing"
    said = rejection(post(server, raw, **{LENGTH: "0"}))
    assert said == f"a raw request is for models of one input, this one has {len(tensors)}: send JSON first"


@pytest.mark.parametrize(
    ("method", "path", "status", "sentence"),
    [
        ("POST", "/v2/models/other/infer", 404, f"model 'other' is not served here: `{NAME}` is"),
        ("POST", f"/v2/models/{NAME}/versions/9/infer", 404, f"version '9' of `{NAME}` is not served here: 1"),
        ("GET", "/v2/models/other", 404, "model 'other' is not served here"),
        ("GET", "/v2/models/other/ready", 404, "model 'other' is not served here"),
        ("GET", f"/v2/models/{NAME}/versions/9/ready", 404, "version '9' of"),
        ("GET", f"/v2/models/{NAME}/versions/9/config", 404, "version '9' of"),
        ("GET", "/v2/models/other/stats", 404, "model 'other' is not served here"),
        ("GET", "/v2/nothing", 404, f"nothing answers there: `POST {INFER}` does"),
        ("POST", f"/v2/models/{NAME}/generate", 501, "text is not generated here: use /infer"),
        ("GET", INFER, 405, "GET is not allowed here: use POST"),
        ("POST", "/v2/health/live", 405, "POST is not allowed here: use GET"),
        ("POST", "/v2/repository/models/x/load", 404, "there is no model `x` in the BentoML store"),
        ("POST", f"/v2/repository/models/{NAME}/unload", 409, f"version 1 of `{NAME}` answers here: load another"),
        ("POST", "/v2/systemsharedmemory/region/x/register", 501, "shared memory is not served here: send the tensors"),
    ],
)
def test_what_is_not_here_is_said(server: Server, method: str, path: str, status: int, sentence: str) -> None:
    assert rejection(HTTP.request(method, server.url + path), status).startswith(sentence)


def test_a_wrong_request_leaves_no_traceback(server: Server) -> None:
    post(server, b"\x00" * 100, **{LENGTH: "50"})
    assert "Traceback" not in server.log.read_text()
