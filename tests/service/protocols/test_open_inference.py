"""The Open Inference Protocol in this process: every datatype and task, and what damaged tensors get."""

import asyncio
import json
import struct
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from ekiben.contract.columns import Columns
from ekiben.contract.encoding import Encoded
from ekiben.contract.errors import InvalidInput
from ekiben.contract.feature import Boolean, Category, Number, Timestamp
from ekiben.contract.schema import Schema, Target
from ekiben.model.package import GOLDEN_FILE, SCHEMA_FILE, Manifest, PackedModel
from ekiben.service.auth import Authenticator
from ekiben.service.dataplane import Dataplane
from ekiben.service.errors import BadRequest
from ekiben.service.http.cors import Cors
from ekiben.service.http.front_door import Drain, FrontDoor
from ekiben.service.http.json_parsing import parse_json
from ekiben.service.http.router import Router
from ekiben.service.logs.access import AccessLog
from ekiben.service.protocols import open_inference, predict
from ekiben.service.protocols.mounting import mount
from ekiben.service.protocols.open_inference.datatypes import DATATYPES, read_raw, write_raw
from ekiben.service.protocols.open_inference.http_request import InferRequest, InferRequestReader
from ekiben.service.protocols.open_inference.messages import MessageReader
from ekiben.service.protocols.protocol import Call, Method
from ekiben.service.protos import message
from ekiben.service.settings import Settings
from ekiben.service.unknown_fields import Fields
from tests.service.one_serving import assemble, hold, list_methods

FEATURES = (
    Number(name="متراژ (m²)", low=-1e6, high=1e6, nullable=True, example=1.0),
    Category(name="city", vocabulary=("a", "ß", ""), nullable=True, example="a"),
    Category(name="code", vocabulary=("1", "2", ""), integers=True, nullable=True, example=1),
    Boolean(name="new", nullable=True, example=True),
    Timestamp(name="sold at", nullable=True, example="2024-01-01"),
)
ROWS = [
    {"متراژ (m²)": 1.5, "city": "ß", "code": 2, "new": False, "sold at": "2024-02-03T04:05:06"},
    {"متراژ (m²)": None, "city": None, "code": None, "new": None, "sold at": None},
    {"متراژ (m²)": -7.25, "city": "a", "code": 1, "new": True, "sold at": "2024-02-04"},
]
NAMES = [feature.name for feature in FEATURES]
BINARY = Target(name="y", classes=(False, True))
STARS = Target(name="stars", task="multiclass", classes=(1, 3, 5))
COLOURS = Target(name="colour", task="multiclass", classes=("rot", "grün", "blau"))
PRICE = Target(name="price", task="regression", scale=1000.0)
SETTINGS = Settings(max_request_rows=1000, access_log_sample=0)
INFER = "/v2/models/kinds/infer"
Json = dict[str, Any]


class Shares:
    """An engine whose answers, between 0 and 1, depend on the whole row."""

    def __init__(self, outputs: int) -> None:
        self._factors = np.linspace(0.1, 0.7, outputs, dtype=np.float32)

    def run(self, encoded: Encoded) -> NDArray[np.float32]:
        total = np.nan_to_num(encoded.numbers).sum(axis=1, dtype=np.float32) + encoded.codes.sum(axis=1)
        return ((total[:, None] * self._factors) % 1).astype(np.float32)


class Service:
    """The dialect and /predict beside it, over one dataplane."""

    def __init__(self, target: Target, features: tuple[Any, ...]) -> None:
        manifest = Manifest(
            name="kinds", version="7", run_id="r", engine="tensorflow", files={SCHEMA_FILE: "", GOLDEN_FILE: ""}
        )
        schema = Schema(name="kinds", features=features, target=target)
        model = PackedModel(path=None, schema=schema, manifest=manifest)  # type: ignore[arg-type]
        self.dataplane = Dataplane(model, Shares(len(target.outputs)), 1000, 1000)
        builders = predict.build_protocol, open_inference.build_protocol
        self.servings = hold(self.dataplane, [build(self.dataplane, SETTINGS) for build in builders])
        protocols = assemble(self.servings, SETTINGS)
        router = Router()
        mount(router, protocols, SETTINGS)
        found = list_methods(protocols)
        self.methods: dict[str, Method] = {path.partition("/")[2]: method for path, method in found.items()}
        self.http = httpx.AsyncClient(
            transport=httpx.ASGITransport(
                FrontDoor(not_found, router, Authenticator(), Drain(), AccessLog(0), Cors("")),
                raise_app_exceptions=True,
            ),  # type: ignore[arg-type]
            base_url="http://test",
        )

    async def infer(self, content: Json | bytes, status: int = 200, **headers: str) -> Any:
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        answered = await self.http.post(INFER, content=body, headers=headers)
        assert answered.status_code == status, answered.text
        assert status != 200 or answered.headers["content-type"] == "application/json"
        return answered.json()

    async def predict(self, rows: list[Json]) -> list[Json]:
        predictions: list[Json] = (await self.http.post("/predict", json={"rows": rows})).json()["predictions"]
        return predictions


async def not_found(scope: Any, receive: Any, send: Any) -> None:
    raise AssertionError("the router found nothing")


def serve(
    scenario: Callable[[Service], Awaitable[None]], target: Target = BINARY, features: tuple[Any, ...] = FEATURES
) -> None:
    async def main() -> None:
        service = Service(target, features)
        try:
            async with asyncio.timeout(60):
                await scenario(service)
        finally:
            service.dataplane.close()

    asyncio.run(main())


def tensor(name: str, datatype: str, shape: Any, data: Any) -> Json:
    return {"name": name, "datatype": datatype, "shape": shape, "data": data}


def tensors(rows: list[Json]) -> list[Json]:
    types = {"متراژ (m²)": "FP64", "city": "BYTES", "code": "INT64", "new": "BOOL", "sold at": "BYTES"}
    return [tensor(name, types[name], [len(rows)], [row[name] for row in rows]) for name in types]


def outputs(answered: Json) -> dict[str, Any]:
    return {output["name"]: output["data"] for output in answered["outputs"]}


# Tasks


def test_a_binary_answer_is_that_of_predict() -> None:
    async def scenario(service: Service) -> None:
        wanted = await service.predict(ROWS)
        answered = await service.infer({"inputs": tensors(ROWS), "id": "größe"})
        assert (answered["model_name"], answered["model_version"], answered["id"]) == ("kinds", "7", "größe")
        assert [(o["name"], o["datatype"], o["shape"]) for o in answered["outputs"]] == [
            ("probability", "FP32", [3, 1]),
            ("label", "BOOL", [3, 1]),
        ]
        assert outputs(answered) == {name: [one[name] for one in wanted] for name in ("probability", "label")}

    serve(scenario)


@pytest.mark.parametrize(("target", "datatype"), [(STARS, "INT64"), (COLOURS, "BYTES")])
def test_a_multiclass_answer_is_that_of_predict(target: Target, datatype: str) -> None:
    async def scenario(service: Service) -> None:
        wanted = await service.predict(ROWS)
        answered = await service.infer({"inputs": tensors(ROWS)})
        assert [(o["name"], o["datatype"], o["shape"]) for o in answered["outputs"]] == [
            ("label", datatype, [3, 1]),
            ("probability", "FP32", [3, 1]),
            ("probabilities", "FP32", [3, 3]),
        ]
        given = outputs(answered)
        assert given["label"] == [one["label"] for one in wanted]
        assert given["probability"] == [one["probability"] for one in wanted]
        assert given["probabilities"] == [score for one in wanted for score in one["probabilities"].values()]

    serve(scenario, target)


def test_a_regression_answer_is_that_of_predict() -> None:
    async def scenario(service: Service) -> None:
        wanted = await service.predict(ROWS)
        given = outputs(await service.infer({"inputs": tensors(ROWS)}))
        assert given == {name: [one[name] for one in wanted] for name in ("value", "low", "high")}
        ask = {"inputs": tensors(ROWS), "outputs": [{"name": "value", "parameters": {"classification": 1}}]}
        assert (await service.infer(ask, 400))["error"].endswith("whose values are not classes")

    serve(scenario, PRICE)


@pytest.mark.parametrize(
    ("target", "name", "labels"),
    [
        (BINARY, "probability", ["false", "true"]),
        (STARS, "probabilities", ["1", "3", "5"]),
        (COLOURS, "probabilities", ["rot", "grün", "blau"]),
    ],
)
@pytest.mark.parametrize("count", [1, 2, 99])
def test_the_likeliest_classes_are_named(target: Target, name: str, labels: list[str], count: int) -> None:
    async def scenario(service: Service) -> None:
        ask = {"inputs": tensors(ROWS[:1]), "outputs": [{"name": name, "parameters": {"classification": count}}]}
        (output,) = (await service.infer(ask))["outputs"]
        assert (output["datatype"], output["shape"]) == ("BYTES", [1, min(count, len(labels))])
        split = [text.split(":") for text in output["data"]]
        values = [float(value) for value, _, _ in split]
        assert values == sorted(values, reverse=True)
        assert all(labels[int(index)] == label for _, index, label in split)
        (plain,) = await service.predict(ROWS[:1])
        likely = plain["probability"]
        wanted = likely if target.task == "multiclass" else max(likely, 1 - likely)
        assert values[0] == pytest.approx(wanted, abs=1e-6)

    serve(scenario, target)


def test_a_classification_is_told_where_it_belongs() -> None:
    async def scenario(service: Service) -> None:
        ask: Json = {"inputs": tensors(ROWS), "outputs": [{"name": "label", "parameters": {"classification": 1}}]}
        wanted = "`label`: there is no classification of this output: ask for it of `probabilities`"
        assert await service.infer(ask, 400) == {"error": wanted}
        for count in (-1, 1.5, "2", True):
            ask["outputs"] = [{"name": "probabilities", "parameters": {"classification": count}}]
            rejected = await service.infer(ask, 400)
            assert rejected["error"].startswith("`probabilities`: parameter `classification`: expected a number of")

    serve(scenario, STARS)


# Forms of the same rows


def matrix(data: Any, datatype: str = "BYTES", rows: int = len(ROWS)) -> Json:
    return tensor("rows", datatype, [rows, len(NAMES)], data)


def text_of(value: Any) -> str:
    return "" if value is None else str(value)


FORMS: dict[str, list[Json]] = {
    "nested": [tensor(t["name"], t["datatype"], [3, 1], [[value] for value in t["data"]]) for t in tensors(ROWS)],
    "flat, [rows, 1]": [t | {"shape": [3, 1]} for t in tensors(ROWS)],
    "shapes that differ": [t | {"shape": [3, 1] if position % 2 else [3]} for position, t in enumerate(tensors(ROWS))],
    "another order": tensors(ROWS)[::-1],
    "MLServer's parameters": [t | {"parameters": {"content_type": "pd"}} for t in tensors(ROWS)],
    "floats and booleans as numbers": [
        t | {"datatype": "FP32", "data": [None if v is None else float(v) for v in t["data"]]}
        if t["name"] in ("code", "new")
        else t
        for t in tensors(ROWS)
    ],
    "one tensor of natural values": [matrix([[row[name] for name in NAMES] for row in ROWS])],
    "one flat tensor": [matrix([row[name] for row in ROWS for name in NAMES])],
    "one tensor of strings": [matrix([[text_of(row[name]) for name in NAMES] for row in ROWS])],
    "one tensor of strings and nulls": [
        matrix([None if row[n] is None else str(row[n]) for row in ROWS for n in NAMES])
    ],
}


@pytest.mark.parametrize("inputs", FORMS.values(), ids=FORMS)
def test_every_form_gets_the_same_answers(inputs: list[Json]) -> None:
    async def scenario(service: Service) -> None:
        wanted = [one["probability"] for one in await service.predict(ROWS)]
        assert outputs(await service.infer({"inputs": inputs}))["probability"] == wanted

    serve(scenario)


def test_nan_in_json_is_missing() -> None:
    async def scenario(service: Service) -> None:
        wanted = await service.infer({"inputs": tensors(ROWS)})
        inputs = tensors(ROWS)
        inputs[0]["data"] = [float("nan") if value is None else value for value in inputs[0]["data"]]
        assert b"NaN" in json.dumps({"inputs": inputs}).encode()
        assert await service.infer({"inputs": inputs}) == wanted
        inputs[0]["data"][1] = float("inf")
        rejected = await service.infer({"inputs": inputs}, 400)
        assert rejected["error"].startswith("row 1: `متراژ (m²)`: expected a finite number, got inf")

    serve(scenario)


NUMBER = (Number(name="x", low=-1e6, high=1e6, nullable=True, example=1.0),)
NUMBERS = {"UINT8": [0, 200], "INT8": [-5, 7], "FP16": [0.5, -3.0], "BF16": [0.5, -3.0]}


@pytest.mark.parametrize("datatype", [name for name in DATATYPES if name not in ("BOOL", "BYTES")])
def test_every_numeric_datatype_is_a_number(datatype: str) -> None:
    values = NUMBERS.get(datatype, [3, 120] if datatype.startswith("UINT") else [-3, 120])
    raw = pack(datatype, values)

    async def scenario(service: Service) -> None:
        wanted = [one["probability"] for one in await service.predict([{"x": value} for value in values])]
        head = tensor("x", datatype, [2, 1], None) | {"parameters": {"binary_data_size": len(raw)}}
        content = json.dumps({"inputs": [head]}).encode()
        answered = await service.infer(content + raw, **{"inference-header-content-length": str(len(content))})
        assert outputs(answered)["probability"] == wanted
        body = await service.infer(
            {"inputs": [tensor("x", datatype, [2], values)]}, 200 if DATATYPES[datatype].field else 400
        )
        if DATATYPES[datatype].field:
            assert outputs(body)["probability"] == wanted
        else:
            assert body["error"] == "`x`: 16-bit floats have no form in JSON: send them raw, or as FP32"

    serve(scenario, features=NUMBER)


def pack(datatype: str, values: Any) -> bytes:
    if datatype == "BF16":  # the upper half of a float32
        return b"".join(struct.pack("<f", value)[2:] for value in values)
    return write_raw(datatype, values)


@pytest.mark.parametrize(
    ("feature", "body", "row"),
    [
        (NUMBER[0], struct.pack("<f", 2.5), {"x": 2.5}),
        (NUMBER[0], struct.pack("<f", float("nan")), {"x": None}),
        (Category(name="x", vocabulary=("a", "ß"), example="a"), "ß".encode(), {"x": "ß"}),
    ],
)
def test_a_raw_request_is_the_only_tensor(feature: Any, body: bytes, row: Json) -> None:
    async def scenario(service: Service) -> None:
        (wanted,) = await service.predict([row])
        answered = await service.http.post(INFER, content=body, headers={"inference-header-content-length": "0"})
        assert answered.status_code == 200, answered.text
        assert answered.headers["content-type"] == "application/octet-stream"
        length = int(answered.headers["inference-header-content-length"])
        head, raw = json.loads(answered.content[:length]), answered.content[length:]
        assert [output["parameters"]["binary_data_size"] for output in head["outputs"]] == [4, 1]
        assert struct.unpack("<f?", raw) == (wanted["probability"], wanted["label"])

    serve(scenario, features=(feature,))


def test_a_raw_request_needs_a_model_of_one_input() -> None:
    async def scenario(service: Service) -> None:
        rejected = await service.infer(b"1234", 400, **{"inference-header-content-length": "0"})
        assert rejected["error"] == "a raw request is for models of one input, this one has 5: send JSON first"

    async def alone(service: Service) -> None:
        rejected = await service.infer(b"12345", 400, **{"inference-header-content-length": "0"})
        assert rejected["error"] == "`x`: has 5 bytes, its shape and datatype are for 4: send as many"

    serve(scenario)
    serve(alone, features=NUMBER)


def test_a_tensor_of_one_feature_may_have_any_name() -> None:
    async def scenario(service: Service) -> None:
        wanted = await service.infer({"inputs": [tensor("x", "FP32", [2, 1], [1, 2])]})
        assert await service.infer({"inputs": [tensor("input_0", "FP32", [2, 1], [[1], [2]])]}) == wanted
        rejected = await service.infer({"inputs": [tensor("y", "FP32", [2], [1, 2])]}, 400)
        assert rejected["error"] == "row 0: `y`: unknown field"

    serve(scenario, features=NUMBER)


# What the service says of itself


@pytest.mark.parametrize("target", [BINARY, STARS, PRICE])
def test_the_metadata_is_what_infer_takes_and_gives(target: Target) -> None:
    async def scenario(service: Service) -> None:
        about = (await service.http.get("/v2/models/kinds/versions/champion")).json()
        assert [one["name"] for one in about["inputs"]] == NAMES
        assert [one["shape"] for one in about["inputs"]] == [[-1, 1]] * len(NAMES)
        assert (about["versions"], about["platform"]) == (["7"], "ekiben_tensorflow")
        assert about["properties"]["task"] == target.task
        assert all(isinstance(value, str) for value in about["properties"].values())
        answered = await service.infer({"inputs": tensors(ROWS)})
        given = [(o["name"], o["datatype"], [-1, o["shape"][1]]) for o in answered["outputs"]]
        assert [(o["name"], o["datatype"], o["shape"]) for o in about["outputs"]] == given
        config = (await service.http.get("/v2/models/kinds/config")).json()
        assert config["max_batch_size"] == 1000
        assert [one["dims"] for one in config["output"]] == [one["shape"][1:] for one in about["outputs"]]

    serve(scenario, target)


def test_a_server_that_stops_is_alive_but_not_ready() -> None:
    async def scenario(service: Service) -> None:
        for path, body in (("/v2/health/ready", "ready"), ("/v2/models/kinds/ready", "ready")):
            answered = await service.http.get(path)
            assert (answered.status_code, answered.json()[body]) == (200, True)
        service.servings.stop_being_ready()
        for path in ("/v2/health/ready", "/v2/models/kinds/ready", "/v2/models/kinds/versions/7/ready"):
            answered = await service.http.get(path)
            assert (answered.status_code, answered.json()["ready"]) == (503, False)
        answered = await service.http.get("/v2/health/live")
        assert (answered.status_code, answered.json()["live"]) == (200, True)
        listed = (await service.http.post("/v2/repository/index")).json()
        (index,) = (one for one in listed if one["name"] == "kinds")  # the store may have others
        assert (index["state"], index["reason"]) == ("UNAVAILABLE", "the service is shutting down")
        assert (await service.http.post("/v2/repository/index", json={"ready": True})).json() == []
        assert outputs(await service.infer({"inputs": tensors(ROWS)}))  # what comes is still answered
        for name in ("ServerLive", "ServerReady", "ModelReady"):
            method = service.methods[name]
            request = method.request(name="kinds") if name == "ModelReady" else method.request()
            answer = await method.answer(request, Call(1.0))
            assert getattr(answer, "live" if name == "ServerLive" else "ready") is (name == "ServerLive")
            assert method.probe

    serve(scenario)


def test_statistics_count_what_was_answered() -> None:
    async def scenario(service: Service) -> None:
        async def count(path: str) -> Json:
            (stats,) = (await service.http.get(path)).json()["model_stats"]
            return dict(stats)

        before = await count("/v2/models/stats")
        await service.infer({"inputs": tensors(ROWS)})
        await service.infer({"inputs": tensors(ROWS)[1:]}, 400)
        after = await count("/v2/models/kinds/versions/7/stats")
        assert after["inference_count"] - before["inference_count"] == 3
        assert after["inference_stats"]["success"]["count"] - before["inference_stats"]["success"]["count"] == 1
        assert after["inference_stats"]["fail"]["count"] - before["inference_stats"]["fail"]["count"] == 1
        assert after["batch_stats"][-1]["compute_infer"]["count"] >= 1
        assert (await service.http.get("/v2/models/other/stats")).status_code == 404

    serve(scenario)


# Codecs


RANGES = {name: st.integers(0, 2 ** (8 * d.size) - 1) for name, d in DATATYPES.items() if name.startswith("UINT")}
RANGES |= {
    name: st.integers(-(2 ** (8 * d.size - 1)), 2 ** (8 * d.size - 1) - 1)
    for name, d in DATATYPES.items()
    if name.startswith("INT")
}
VALUES: dict[str, st.SearchStrategy[Any]] = {
    **RANGES,
    "BOOL": st.booleans(),
    "FP16": st.floats(width=16, allow_nan=False),
    "FP32": st.floats(width=32, allow_nan=False),
    "FP64": st.floats(allow_nan=False),
    "BYTES": st.text(),
}


@pytest.mark.parametrize("datatype", VALUES)
@given(data=st.data())
def test_what_is_written_raw_is_read_again(datatype: str, data: st.DataObject) -> None:
    values = data.draw(st.lists(VALUES[datatype]))
    before, after = data.draw(st.binary(max_size=9)), data.draw(st.binary(max_size=9))
    raw = write_raw(datatype, values)
    content = before + raw + after
    assert list(read_raw("x", DATATYPES[datatype], content, len(before), len(raw), len(values))) == values


@pytest.mark.parametrize(
    "strings",
    [
        ["JFK", "LGA", "EWR"] * 5,
        [""] * 9,
        ["a", "bcd", "ef", ""] * 4,  # as long as if all had one length
        ["ab", "ß", "\x00\x00"] * 4,  # two bytes each
        ["x" * 300] * 8,
        ["\x03\x00\x00\x00"] * 8,  # looks like a length
    ],
)
def test_many_strings_are_read_as_few(strings: list[str]) -> None:
    raw = write_raw("BYTES", strings)
    assert list(read_raw("x", DATATYPES["BYTES"], raw, 0, len(raw), len(strings))) == strings


@given(st.sampled_from(list(DATATYPES)), st.binary(max_size=200), st.integers(0, 2**62))
def test_garbage_is_read_or_rejected_as_the_tensors_fault(datatype: str, content: bytes, count: int) -> None:
    for wanted in (count, len(content) // (DATATYPES[datatype].size or 4)):
        try:
            values = read_raw("x", DATATYPES[datatype], content, 0, len(content), wanted)
        except InvalidInput:
            continue
        assert len(values) == wanted


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=8,
)
SOMETHING = {
    "name": st.sampled_from([*NAMES, "rows"]) | JSON,
    "datatype": st.sampled_from([*DATATYPES, "FP8"]) | JSON,
    "shape": st.lists(st.integers(-1, 5), max_size=3) | st.sampled_from([[2**62], [1, 5], [2, 5]]) | JSON,
}
TENSOR = st.fixed_dictionaries(
    SOMETHING,
    optional={
        "data": JSON | st.lists(st.none() | st.text(max_size=3) | st.floats(), max_size=10),
        "parameters": st.fixed_dictionaries({}, optional={"binary_data_size": st.integers(-1, 20) | JSON}) | JSON,
    },
)
BODY = st.fixed_dictionaries(
    {"inputs": st.lists(TENSOR, max_size=3) | JSON},
    optional={
        "id": JSON,
        "outputs": st.lists(st.fixed_dictionaries({"name": JSON | st.just("label")}, optional={"parameters": JSON}))
        | JSON,
        "parameters": st.fixed_dictionaries({}, optional={"timeout": JSON, "binary_data_output": JSON}) | JSON,
    },
)


class Anything:
    """As much of a dataplane as decoding needs."""

    model = PackedModel(
        path=None,  # type: ignore[arg-type]
        schema=Schema(name="kinds", features=FEATURES, target=STARS),
        manifest=Manifest(
            name="k", version="1", run_id="r", engine="tensorflow", files={SCHEMA_FILE: "", GOLDEN_FILE: ""}
        ),
    )
    fields = Fields(model.schema)

    def check_count(self, rows: int) -> None:
        if rows > 1000:
            raise BadRequest(413, "too many")


READER = InferRequestReader(Anything())  # type: ignore[arg-type]


@given(BODY | JSON, st.binary(max_size=40), st.booleans())
def test_any_json_is_a_question_or_the_callers_fault(content: Any, tail: bytes, whole: bool) -> None:
    head = json.dumps(content).encode()
    try:
        columns, _ = READER.read(head if whole else head + tail, None if whole else len(head))
    except (BadRequest, InvalidInput) as error:
        str(error).encode("utf-8", "backslashreplace")
    else:
        assert set(map(len, columns.values)) <= {len(columns)}


@given(st.binary(max_size=300), st.integers(0, 300))
def test_any_bytes_are_a_question_or_the_callers_fault(body: bytes, length: int) -> None:
    with pytest.raises((BadRequest, InvalidInput)):
        READER.read(body, min(length, len(body)))


def binary(*columns: tuple[str, str, bytes], start: str = "{") -> tuple[bytes, int]:
    """Return a body with one value of each column, and how long its JSON is."""
    inputs = [
        {"name": name, "shape": [1], "datatype": datatype, "parameters": {"binary_data_size": len(raw)}}
        for name, datatype, raw in columns
    ]
    head = (start + json.dumps({"inputs": inputs})[1:]).encode()
    return head + b"".join(raw for _, _, raw in columns), len(head)


@pytest.mark.parametrize(
    ("raw", "sentence"),
    [
        (b"\x02\0\0\0a", "`city`: ends within text 0, which should have 2 bytes"),
        (b"\0\0\0\0a", "`city`: has 1 bytes more than its shape is for"),
        (b"\x01\0\0\0\xff", "`city`: expected text in UTF-8, got other bytes"),
        (b"\x01\0\0", "`city`: has 3 bytes, too few for the lengths of 1 strings"),
    ],
)
def test_a_damaged_string_of_a_single_row_is_named(raw: bytes, sentence: str) -> None:
    number, text = (NAMES[0], "FP32", bytes(4)), ("city", "BYTES", b"\x01\0\0\0a")
    columns, _ = READER.read(*binary(number, text))
    assert columns.to_rows() == [{NAMES[0]: 0.0, "city": "a"}]
    with pytest.raises(InvalidInput, match=f"^{sentence}$"):
        READER.read(*binary(number, ("city", "BYTES", raw)))


def test_requests_that_differ_in_their_id_are_read_alike_and_keep_it() -> None:
    for start, wanted in [("{", None), ('{"id":"a",', "a"), ('{"id": "b-1", ', "b-1"), ('{"id":"a","id":null,', None)]:
        columns, infer_request = READER.read(*binary(("city", "BYTES", b"\x01\0\0\0a"), start=start))
        assert (columns.to_rows(), infer_request.id) == ([{"city": "a"}], wanted)


PLAIN = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text('a,"]{[}\\\n:1', max_size=4)
DATA = st.lists(PLAIN, min_size=1, max_size=2) | st.just([[1]]) | st.just("data")


@given(st.lists(DATA, min_size=1, max_size=3), st.booleans(), st.sampled_from(["", "a", "b-1", '"']))
def test_a_row_of_plain_json_is_read_as_any_other(values: list[Any], spaces: bool, request_id: str) -> None:
    columns = zip(NAMES, values, strict=False)
    inputs = [{"name": name, "shape": [1], "datatype": "FP32", "data": data} for name, data in columns]
    content = {"id": request_id, "inputs": inputs}
    body = json.dumps(content, separators=None if spaces else (",", ":")).encode()
    assert describe(lambda: READER.read(body, None)) == describe(lambda: READER.read_content(parse_json(body)))


def describe(read: Callable[[], tuple[Columns, InferRequest]]) -> str:
    """Return what was read, or what is wrong."""
    try:
        columns, infer_request = read()
    except InvalidInput as error:
        return str(error)
    return f"{columns.to_rows()} {infer_request}"


@pytest.mark.parametrize("second", [b'"data":[0]', b'"d\\u0061ta":[0]', b'"data":[[0]]', b'"data" :[0]'])
def test_values_are_taken_from_where_they_stand(second: bytes) -> None:
    tensor = b'{"name":"%b","shape":[1],"datatype":"FP32",%b}'
    twice = b'"data":[5],"data":[1]'  # the last counts; there are as many lists of values as tensors
    body = b'{"inputs":[%b,%b]}' % (tensor % (b"a", twice), tensor % (b"b", second))
    columns, _ = READER.read(body, None)
    assert columns.to_rows() == [{"a": 1, "b": 0}]


@given(st.data())
def test_any_message_is_answered_or_the_callers_fault(data: st.DataObject) -> None:
    request = message("inference.ModelInferRequest")(model_name="kinds")
    for _ in range(data.draw(st.integers(0, 3))):
        name, shape = (
            data.draw(st.sampled_from([*NAMES, "rows", "x"])),
            data.draw(st.lists(st.integers(-1, 5), max_size=3)),
        )
        one = request.inputs.add(name=name, shape=shape, datatype=data.draw(st.sampled_from([*DATATYPES, "", "FP8"])))
        if data.draw(st.booleans()):
            one.contents.bytes_contents.extend(data.draw(st.lists(st.binary(max_size=3), max_size=3)))
            one.contents.fp32_contents.extend(data.draw(st.lists(st.floats(width=32), max_size=3)))
    request.raw_input_contents.extend(data.draw(st.lists(st.binary(max_size=20), max_size=3)))
    received = message("ekiben.ModelInferRequest").FromString(request.SerializeToString())
    try:
        columns = MessageReader(Anything(), SETTINGS).read(received)  # type: ignore[arg-type]
    except (BadRequest, InvalidInput):
        return
    assert set(map(len, columns.values)) <= {len(columns)}
