"""Every protocol decides by the threshold that the model learned, and by another where a caller asks for it."""

import asyncio
import io
import json
import logging
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from ekiben.contract.encoding import Encoded
from ekiben.contract.feature import Number
from ekiben.contract.schema import Schema, Target
from ekiben.load_tests.requests.grpc_dialects import encode_raw, encode_tensorflow, encode_typed
from ekiben.load_tests.requests.http_dialects import encode_binary, encode_open
from ekiben.service.error_status import to_error_response
from ekiben.service.logs.access import Asked
from ekiben.service.protocols.openapi.document import describe_service
from ekiben.service.protocols.protocol import Call
from ekiben.service.protos import message
from tests.fuzz.service import TIMEOUT_S, Service

LEARNED, OTHER = 0.25, 0.7
FEATURES = (Number(name="x", low=0, high=1, example=0.3), Number(name="y", low=0, high=1, example=0.4))
LATE = Target(name="late", classes=("no", "yes"), threshold=LEARNED)
ROWS = [{"x": x, "y": 0.0} for x in (0.1, 0.3, 0.6, 0.9)]
WANTED = {LEARNED: ["no", "yes", "yes", "yes"], OTHER: ["no", "no", "no", "yes"], 0: ["yes"] * 4, 1: ["no"] * 4}
JSON = {"Content-Type": "application/json"}
CSV = "x,y\n" + "".join(f"{row['x']},0\n" for row in ROWS)
INFER = message("inference.ModelInferRequest")
Labels = Awaitable[list[str]]


class Echo:
    """An engine that answers a row's `x`, as often as there are outputs."""

    outputs = 1

    def run(self, encoded: Encoded) -> NDArray[np.float32]:
        return np.repeat(encoded.numbers[:, :1], self.outputs, axis=1).astype(np.float32)


class Rejected(Exception):
    """The service answered an error."""


@dataclass
class Caller:
    """Asks one protocol, saying the threshold where that has its place for it."""

    service: Service

    async def post(self, path: str, headers: dict[str, str], body: bytes) -> bytes:
        status, answer = await self.service.post(path, headers, body)
        if status != 200:
            assert status == 400, answer
            raise Rejected(json.loads(answer)["error"])
        return answer

    async def records(self, path: str, body: Any, threshold: Any = None, headers: dict[str, str] = JSON) -> list[str]:
        query = "" if threshold is None else f"?threshold={threshold}"
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        answered = json.loads(await self.post(path + query, headers, content))
        rows = answered if isinstance(answered, list) else answered.get("predictions") or answered["data"]
        return [(row[1] if isinstance(row, list) else row)["label"] for row in rows]

    async def call(self, method: str, body: bytes, *metadata: tuple[str, str]) -> Any:
        found = self.service.methods[method]
        try:
            return await found.answer(found.request.FromString(body), Call(TIMEOUT_S, lambda: metadata))
        except Exception as error:
            response = to_error_response(error, lambda: Asked("", "HTTP", b"/", b"", b""))
            assert response.status == 400
            raise Rejected(response.message) from error

    async def predict(self, threshold: Any) -> list[str]:
        return await self.records("/predict", {"rows": ROWS}, threshold)

    async def open_json(self, threshold: Any) -> list[str]:
        body = json.loads(encode_open(self.service.dataplane.model.schema, ROWS)[1])
        return await self.infer(JSON, body | ({} if threshold is None else {"parameters": {"threshold": threshold}}))

    async def open_query(self, threshold: Any) -> list[str]:
        body = json.loads(encode_open(self.service.dataplane.model.schema, ROWS)[1])
        return await self.infer(JSON, body, "" if threshold is None else f"?threshold={threshold}")

    async def infer(self, headers: dict[str, str], body: Any, query: str = "") -> list[str]:
        answered = json.loads(await self.post(f"/v2/models/delays/infer{query}", headers, json.dumps(body).encode()))
        return next(list(one["data"]) for one in answered["outputs"] if one["name"] == "label")

    async def open_binary(self, threshold: Any) -> list[str]:
        headers, body = encode_binary(self.service.dataplane.model.schema, ROWS)
        length = int(headers["Inference-Header-Content-Length"])
        head = json.loads(body[:length])
        if self.service.dataplane.model.schema.target.classes:
            head["outputs"] = [{"name": "label"}]
        head["parameters"] = {} if threshold is None else {"threshold": threshold}
        written = json.dumps(head).encode()
        headers = headers | {"Inference-Header-Content-Length": str(len(written))}
        answered = json.loads(await self.post("/v2/models/delays/infer", headers, written + body[length:]))
        return list(answered["outputs"][0]["data"])

    async def infer_grpc(self, body: bytes, threshold: Any) -> Any:
        request = INFER.FromString(body)
        if isinstance(threshold, str):
            request.parameters["threshold"].string_param = threshold
        elif threshold is not None:
            request.parameters["threshold"].double_param = threshold
        answered = await self.call("inference.GRPCInferenceService/ModelInfer", request.SerializeToString())
        return message("inference.ModelInferResponse").FromString(answered.SerializeToString())

    async def open_typed(self, threshold: Any) -> list[str]:
        body = encode_typed(self.service.dataplane.model.schema, ROWS)[1]
        answered = await self.infer_grpc(body, threshold)
        return [text.decode() for text in answered.outputs[1].contents.bytes_contents]

    async def open_raw(self, threshold: Any) -> list[str]:
        """One row a message, whose head becomes known."""
        labels = []
        for row in [*ROWS, *ROWS]:
            body = encode_raw(self.service.dataplane.model.schema, [row])[1]
            answered = await self.infer_grpc(body, threshold)
            labels.append(answered.raw_output_contents[1][4:].decode())
        assert labels[: len(ROWS)] == labels[len(ROWS) :]
        return labels[: len(ROWS)]

    async def rest_rows(self, threshold: Any) -> list[str]:
        return await self.records("/v1/models/delays:predict", {"instances": ROWS}, threshold)

    async def vertex_parameters(self, threshold: Any) -> list[str]:
        beside = {} if threshold is None else {"parameters": {"threshold": threshold}}
        return await self.records("/v1/models/delays:predict", {"instances": ROWS} | beside)

    async def rest_columns(self, threshold: Any) -> list[str]:
        query = "" if threshold is None else f"?threshold={threshold}"
        inputs = {name: [row[name] for row in ROWS] for name in ("x", "y")}
        body = json.dumps({"inputs": inputs}).encode()
        return list(json.loads(await self.post(f"/v1/models/delays:predict{query}", JSON, body))["outputs"]["label"])

    async def tensorflow_grpc(self, threshold: Any) -> list[str]:
        body = encode_tensorflow(self.service.dataplane.model.schema, ROWS)[1]
        metadata = [] if threshold is None else [("x-threshold", str(threshold))]
        answered = await self.call("tensorflow.serving.PredictionService/Predict", body, *metadata)
        return [text.decode() for text in answered.outputs["label"].string_val]

    async def mlflow(self, threshold: Any) -> list[str]:
        beside = {} if threshold is None else {"params": {"threshold": threshold}}
        return await self.records("/invocations", {"dataframe_records": ROWS} | beside)

    async def mlflow_query(self, threshold: Any) -> list[str]:
        return await self.records("/invocations", {"dataframe_records": ROWS}, threshold)

    async def bare_list(self, threshold: Any) -> list[str]:
        return await self.records("/invocations", ROWS, threshold)

    async def snowflake(self, threshold: Any) -> list[str]:
        rows = [[index, row["x"], row["y"]] for index, row in enumerate(ROWS)]
        return await self.records("/invocations", {"data": rows}, threshold)

    async def csv(self, threshold: Any) -> list[str]:
        query = "" if threshold is None else f"?threshold={threshold}"
        headers = {"Content-Type": "text/csv", "Accept": "text/csv"}
        answered = await self.post(f"/invocations{query}", headers, CSV.encode())
        return list(pd.read_csv(io.BytesIO(answered), header=None)[1])

    async def lines(self, threshold: Any) -> list[str]:
        query = "" if threshold is None else f"?threshold={threshold}"
        headers = dict.fromkeys(("Content-Type", "Accept"), "application/jsonlines")
        body = "\n".join(map(json.dumps, ROWS)).encode()
        answered = await self.post(f"/invocations{query}", headers, body)
        return [json.loads(line)["label"] for line in answered.splitlines()]


WAYS = [
    name
    for name, one in vars(Caller).items()
    if callable(one) and not name.startswith("_") and name not in ("post", "records", "call", "infer", "infer_grpc")
]


@pytest.fixture(autouse=True)
def log() -> Iterator[None]:
    """Let others log again: the service that is fuzzed turns that off."""
    yield
    logging.disable(logging.NOTSET)


def ask(way: str, threshold: Any, target: Target = LATE) -> list[str]:
    async def main() -> list[str]:
        engine = Echo()
        engine.outputs = len(target.outputs)
        caller = Caller(Service(schema=Schema(name="delays", features=FEATURES, target=target), engine=engine))
        asked: Callable[[Any], Labels] = getattr(caller, way)
        return await asked(threshold)

    return asyncio.run(main())


def test_all_ways_are_tried() -> None:
    assert len(WAYS) == 16


@pytest.mark.parametrize("way", WAYS)
def test_labels_follow_the_learned_threshold_and_a_callers_own(way: str) -> None:
    assert ask(way, None) == WANTED[LEARNED]
    for threshold in (OTHER, 0, 1):
        assert ask(way, threshold) == WANTED[threshold]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("wrong", [-0.1, 1.5, "much"])
def test_a_threshold_that_is_none_is_one_sentence(way: str, wrong: Any) -> None:
    with pytest.raises(Rejected, match=r"threshold`?: expected a number from 0 to 1, got '?(-0.1|1.5|much)") as caught:
        ask(way, wrong)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "wrong", ["nan", "inf", "-1", "2", "x", "[0.5]", "0.5,0.5", "", "0_1", "٠.٣", "0.5" + "0" * 99, "0x1"]
)
def test_a_query_holds_one_number(wrong: str) -> None:
    with pytest.raises(Rejected, match="threshold: expected a number from 0 to 1, got"):
        ask("predict", wrong)


@pytest.mark.parametrize("wrong", [True, [0.5], {"at": 0.5}])
def test_a_parameter_is_a_number(wrong: Any) -> None:
    for way in ("open_json", "vertex_parameters", "mlflow"):
        with pytest.raises(Rejected, match="parameter `threshold`: expected a number from 0 to 1, got"):
            ask(way, wrong)


@pytest.mark.parametrize("way", WAYS)
def test_where_nothing_is_decided_there_is_no_threshold(way: str) -> None:
    many = Target(name="kind", task="multiclass", classes=("a", "b", "c"))
    with pytest.raises(Rejected, match="of 3 classes the likeliest is the label: leave it out"):
        ask(way, 0.5, many)
    with pytest.raises(Rejected, match="this model answers a number, and decides nothing: leave it out"):
        ask(way, 0.5, Target(name="price", task="regression"))


def test_probabilities_are_the_same_at_any_threshold() -> None:
    async def main() -> None:
        service = Service(schema=Schema(name="delays", features=FEATURES, target=LATE), engine=Echo())
        body = json.dumps({"rows": ROWS}).encode()
        answers = [
            json.loads((await service.post(path, JSON, body))[1]) for path in ("/predict", "/predict?threshold=1")
        ]
        usual, strict = ([row["probability"] for row in answer["predictions"]] for answer in answers)
        assert usual == strict == [float(np.float32(row["x"])) for row in ROWS]

    asyncio.run(main())


def test_the_service_says_which_threshold_is_its_own() -> None:
    async def main() -> None:
        service = Service(schema=Schema(name="delays", features=FEATURES, target=LATE), engine=Echo())
        found = service.methods["inference.GRPCInferenceService/ModelMetadata"]
        metadata = await found.answer(found.request(name="delays"), Call(TIMEOUT_S))
        assert metadata.properties["threshold"] == "0.25"

    asyncio.run(main())


@pytest.mark.parametrize("target", [LATE, Target(name="price", task="regression")], ids=["two classes", "a number"])
def test_the_document_names_it_where_two_classes_are_decided_between(target: Target) -> None:
    async def main() -> None:
        service = Service(schema=Schema(name="delays", features=FEATURES, target=target), engine=Echo())
        document = describe_service(service.protocols, service.dataplane.model)
        for path in ("/predict", "/predict/{model}", "/invocations", "/v1/models/{model}:predict"):
            named = [one["name"] for one in document["paths"][path]["post"]["parameters"] if "name" in one]
            assert ("threshold" in named) == (target is LATE)
        infer = document["paths"]["/v2/models/{model}/infer"]["post"]
        assert ("threshold" in [one.get("name") for one in infer["parameters"]]) == (target is LATE)

    asyncio.run(main())
