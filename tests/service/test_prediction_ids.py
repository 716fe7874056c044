"""Every prediction has an id: one of ours that nobody else makes, or the caller's own."""

import asyncio
import json
import re
import time

import grpc
import httpx
import pytest

from ekiben.load_tests.cost.request_cost import FORMATS
from ekiben.load_tests.requests.request_case import write_case
from ekiben.model.package import PackedModel
from ekiben.service import prediction_ids
from ekiben.service.prediction_ids import HEADER, METADATA, SUFFIXES, PredictionIds, find_usable, read_time
from ekiben.service.protocols.protocol import Call
from tests.conftest import NAME, PATIENCE_S, Server
from tests.fuzz.service import ROW, SCHEMA, TIMEOUT_S, Service
from tests.http_client import HTTP
from tests.open_inference_requests import raw_request
from tests.waiting import wait_for

OWN = re.compile(rb"[0-9a-f]{24}")
INFER = "/v2/models/kinds/infer"
INPUTS = [{"name": name, "shape": [1], "datatype": kind, "data": [ROW[name]]} for name, kind in {
    "x": "FP32", "city with spaces": "BYTES", "code": "INT64", "yes": "BOOL", "时间": "BYTES"}.items()]  # fmt: skip


async def ask_in_every_protocol() -> dict[str, bytes]:
    service, ids = Service(), {}
    for one in FORMATS:
        case = write_case(SCHEMA, [ROW], one, 1)
        if one.grpc:
            method, call = service.methods[case.path[1:]], Call(TIMEOUT_S)
            await method.answer(method.request.FromString(case.body), call)
            ids[one.name] = call.prediction_id
        else:
            status, headers, _ = await service.exchange(case.path, dict(case.headers), case.body)
            assert status == 200
            ids[one.name] = headers[HEADER]
    return ids


def test_answers_in_every_protocol_have_ids_that_differ() -> None:
    ids = asyncio.run(ask_in_every_protocol())
    assert len(set(ids.values())) == len(FORMATS)
    assert all(map(OWN.fullmatch, ids.values())), ids


def test_ids_are_unique_beyond_a_block_and_between_processes() -> None:
    async def make() -> list[bytes]:
        one, other = PredictionIds(), PredictionIds()
        return [ids.next() for _ in range(2 * len(SUFFIXES)) for ids in (one, other)]

    made = asyncio.run(make())
    assert len(set(made)) == len(made)
    assert all(abs((read_time(one.decode()) or 0) - time.time()) < 60 for one in made)


def test_an_id_has_the_second_it_was_made_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prediction_ids, "RENEW_S", 0.01)
    now = 1_800_000_000.0
    monkeypatch.setattr(prediction_ids.time, "time", lambda: now)

    async def scenario() -> None:
        nonlocal now
        ids = PredictionIds()
        assert read_time(ids.next().decode()) == 1_800_000_000
        now += 60
        await wait_for(lambda: read_time(ids.next().decode()) == 1_800_000_060)
        assert read_time(f"{ids.next().decode()}/3") == 1_800_000_060

    asyncio.run(scenario())
    assert read_time("a caller's own") is None


@pytest.mark.parametrize("given", ["a", "größe", "", " a", "a\n", "x" * 129, "\ud800"])
def test_a_callers_own_id_is_printable_ascii_and_short(given: str) -> None:
    assert find_usable(given, "second") == (b"a" if given == "a" else b"second")


@pytest.mark.parametrize(
    ("headers", "content", "wanted"),
    [
        ({"x-request-id": "mine"}, {}, b"mine"),
        ({"x-request-id": "mine"}, {"id": "body"}, b"body"),
        ({"x-request-id": "mine"}, {"id": "größe"}, b"mine"),  # no header can carry the body's: it is only echoed
    ],
)
def test_the_callers_own_id_is_the_predictions(headers: dict[str, str], content: dict[str, str], wanted: bytes) -> None:
    async def infer() -> tuple[int, dict[bytes, bytes], bytes]:
        return await Service().exchange(INFER, headers, json.dumps({**content, "inputs": INPUTS}).encode())

    status, answered, body = asyncio.run(infer())
    assert (status, answered[HEADER]) == (200, wanted)
    assert json.loads(body).get("id") == content.get("id")


@pytest.mark.parametrize("given", ["ä", "x" * 129, "a\tb"])
def test_an_unusable_request_id_is_replaced(given: str) -> None:
    async def predict() -> dict[bytes, bytes]:
        body = json.dumps({"rows": [ROW]}).encode()
        _, headers, _ = await Service().exchange("/predict", {"x-request-id": given}, body)
        return headers

    assert OWN.fullmatch(asyncio.run(predict())[HEADER])


def test_only_predictions_have_ids() -> None:
    async def ask() -> list[dict[bytes, bytes]]:
        service, own = Service(), {"x-request-id": "mine"}
        wrong = await service.exchange("/predict", own, b'{"rows": []}')
        index = await service.exchange("/v2/repository/index", own, b"")
        assert (wrong[0], index[0]) == (400, 200)
        return [wrong[1], index[1]]

    assert not any(HEADER in headers for headers in asyncio.run(ask()))


def test_sagemakers_inference_id_is_the_predictions() -> None:
    async def invoke(given: str) -> tuple[int, dict[bytes, bytes], bytes]:
        headers = {"content-type": "application/json", "x-amzn-sagemaker-inference-id": given, "x-request-id": "other"}
        return await Service().exchange("/invocations", headers, json.dumps({"dataframe_records": [ROW]}).encode())

    status, headers, _ = asyncio.run(invoke("sale-17"))
    assert (status, headers[HEADER]) == (200, b"sale-17")
    status, _, body = asyncio.run(invoke("x" * 200))
    assert status == 400
    assert "x-amzn-sagemaker-inference-id: expected up to 128 printable" in json.loads(body)["error"]


@pytest.mark.slow
def test_a_real_server_sends_the_id_over_http_and_grpc(server: Server, model: PackedModel) -> None:
    rows = [model.schema.example]
    answered = HTTP.post(f"{server.url}/predict", json={"rows": rows})
    assert OWN.fullmatch(answered.headers[HEADER.decode()].encode())
    assert HEADER.decode() not in httpx.get(f"{server.url}/v2").headers

    request = raw_request(model, rows)
    with grpc.insecure_channel(server.grpc) as channel:
        ask = channel.unary_unary(
            "/inference.GRPCInferenceService/ModelInfer",
            lambda message: message.SerializeToString(), lambda body: body,
        )  # fmt: skip
        for given in ("", "my/own id"):
            request.id = given
            _, call = ask.with_call(request, timeout=PATIENCE_S)
            made = dict(call.trailing_metadata())[METADATA]
            assert made == given or (not given and OWN.fullmatch(made.encode()))
        request.model_name = NAME + "?"
        with pytest.raises(grpc.RpcError) as rejected:
            ask(request, timeout=PATIENCE_S)
        assert METADATA not in dict(rejected.value.trailing_metadata())
