"""Connect as its specification has it: JSON and protobuf, GET, errors with HTTP's status, deadlines, compression."""

import asyncio
import base64
import gzip
import json
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict

from ekiben.service.auth import UNCERTIFIED
from ekiben.service.connections.admission import LATE, WAITED
from ekiben.service.error_status import HIDDEN
from tests.doubling import POISON, Doubling
from tests.web_service import INFER, MAX_BYTES, OIP, Service, counted, infer_request, open_service, read_doubles

JSON = {"content-type": "application/json"}
PROTO = {"content-type": "application/proto"}
METADATA = f"{OIP}/ModelMetadata"
CHECK = "/grpc.health.v1.Health/Check"


def run(scenario: Callable[[Service], Awaitable[None]], **options: Any) -> None:
    async def main() -> None:
        async with open_service(**options) as service:
            await scenario(service)

    asyncio.run(main())


def test_a_message_is_answered_in_protobuf_and_counted() -> None:
    async def scenario(service: Service) -> None:
        before = counted("open_inference_connect", "OK")
        body = infer_request(1, 2.5).SerializeToString()
        answered = await service.client.post(INFER, content=body, headers=PROTO | {"connect-protocol-version": "1"})
        assert (answered.status_code, answered.headers["content-type"]) == (200, "application/proto")
        assert read_doubles(answered.content) == [2, 5]
        assert "trailer-x-model-version" in answered.headers
        assert answered.headers["trailer-x-prediction-id"]
        assert counted("open_inference_connect", "OK") == before + 1

    run(scenario)


@pytest.mark.parametrize("original_names", [False, True])
@pytest.mark.parametrize("kind", ["application/json", "application/json; charset=utf-8"])
def test_a_message_is_answered_in_json(kind: str, original_names: bool) -> None:
    async def scenario(service: Service) -> None:
        given = MessageToDict(infer_request(3), preserving_proto_field_name=original_names)
        answered = await service.client.post(INFER, content=json.dumps(given), headers={"content-type": kind})
        assert (answered.status_code, answered.headers["content-type"]) == (200, "application/json")
        probability, label = answered.json()["outputs"]
        assert probability["contents"] == {"fp32Contents": [6.0]}
        assert label["contents"] == {"boolContents": [True]}

    run(scenario)


def test_raw_tensors_are_base64_in_json() -> None:
    async def scenario(service: Service) -> None:
        inputs = [
            {"name": "x", "datatype": "FP32", "shape": ["1", "1"]},
            {"name": "c", "datatype": "BYTES", "shape": ["1", "1"]},
        ]
        raw = [base64.b64encode(content).decode() for content in (b"\0\0\x80?", b"\1\0\0\0a")]
        given = {"modelName": "doubling", "inputs": inputs, "rawInputContents": raw}
        answered = await service.client.post(INFER, content=json.dumps(given), headers=JSON)
        assert base64.b64decode(answered.json()["rawOutputContents"][0]) == b"\0\0\0@"

    run(scenario)


def test_a_large_message_is_answered_in_both() -> None:
    async def scenario(service: Service) -> None:
        request = infer_request(*range(7000))
        answered = await service.client.post(INFER, content=request.SerializeToString(), headers=PROTO)
        assert read_doubles(answered.content) == [2 * number for number in range(7000)]
        given = json.dumps(MessageToDict(infer_request(*range(7000))))
        answered = await service.client.post(INFER, content=given, headers=JSON)
        (numbers,) = [one["contents"] for one in answered.json()["outputs"] if one["name"] == "probability"]
        assert numbers["fp32Contents"] == [2 * number for number in range(7000)]

    run(scenario, max_request_rows=10_000, max_values=10_000)


@pytest.mark.parametrize("base64_given", [False, True])
@pytest.mark.parametrize("encoding", ["json", "proto"])
def test_what_changes_nothing_may_be_asked_by_get(encoding: str, base64_given: bool) -> None:
    async def scenario(service: Service) -> None:
        content = b'{"name":"doubling"}' if encoding == "json" else b"\x0a\x08doubling"
        query = {"connect": "v1", "encoding": encoding, "message": content.decode()}
        if base64_given:
            query |= {"message": base64.urlsafe_b64encode(content).decode().rstrip("="), "base64": "1"}
        answered = await service.client.get(METADATA, params=query)
        assert (answered.status_code, answered.headers["content-type"]) == (200, f"application/{encoding}")
        assert b"doubling" in answered.content
        packed = base64.urlsafe_b64encode(gzip.compress(content)).decode()
        query |= {"message": packed, "base64": "1", "compression": "gzip"}
        assert b"doubling" in (await service.client.get(METADATA, params=query)).content

    run(scenario)


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("", "the query has no message"),
        ("message=%7B", "the message is not valid JSON"),
        ("message=!&base64=1", "the query's message is not base64"),
        ("message={}&encoding=xml", "encoding: expected json or proto, got 'xml'"),
        ("message={}&connect=v2", "connect: expected v1, got 'v2'"),
        ("&".join(f"a{index}=1" for index in range(20)), "the query has more than 16 fields"),
    ],
)
def test_a_wrong_query_is_an_error(query: str, sentence: str) -> None:
    async def scenario(service: Service) -> None:
        answered = await service.client.get(f"{METADATA}?{query}")
        assert (answered.status_code, answered.json()["code"]) == (400, "invalid_argument")
        assert sentence in answered.json()["message"]

    run(scenario)


@pytest.mark.parametrize("method", ["GET", "PUT", "HEAD", "OPTIONS"])
def test_inference_is_posted(method: str) -> None:
    async def scenario(service: Service) -> None:
        answered = await service.client.request(method, INFER)
        assert (answered.status_code, answered.headers["allow"]) == (405, "POST")

    run(scenario)


@pytest.mark.parametrize("kind", ["text/plain", "", "application/grpc", "application/connect+json"])
def test_an_unknown_content_type_is_answered_with_those_there_are(kind: str) -> None:
    async def scenario(service: Service) -> None:
        answered = await service.client.post(INFER, content=b"{}", headers={"content-type": kind})
        assert answered.status_code == 415
        assert "application/grpc-web-text" in answered.headers["accept-post"]
        watch = "/grpc.health.v1.Health/Watch"
        assert (await service.client.post(watch, content=b"{}", headers=JSON)).status_code == 415

    run(scenario)


@pytest.mark.parametrize(
    ("body", "headers", "status", "code", "sentence"),
    [
        (b"", {}, 400, "invalid_argument", "the message is not valid JSON"),
        (b"{", {}, 400, "invalid_argument", "the message is not valid JSON"),
        (b"\xff", {}, 400, "invalid_argument", "the message is not valid JSON"),
        (b"[]", {}, 400, "invalid_argument", "the message: expected an object, got a list"),
        (b"[" * 60_000, {}, 400, "invalid_argument", "the message is not valid JSON"),
        (b"[" * 150_000, {}, 400, "invalid_argument", "the message is not valid JSON"),
        (b'{"inputz":[]}', {}, 400, "invalid_argument", 'has no field named "inputz"'),
        (b'{"id":"\\ud800"}', {}, 400, "invalid_argument", "Unpaired surrogate"),
        (b'{"inputs":[null]}', {}, 400, "invalid_argument", "null is not allowed"),
        (b'{"rawInputContents":["a*"]}', {}, 400, "invalid_argument", "base64"),
        (b'{"inputs":[' + b"{}," * 50_000 + b"{}]}", {}, 400, "invalid_argument", "more than 10000 objects"),
        (b'{"x":[' + b"1," * 90_000 + b"1]}", {}, 400, "invalid_argument", "more than 11000 values"),
        (b" " * (MAX_BYTES + 1), {}, 429, "resource_exhausted", f"larger than {MAX_BYTES} bytes"),
        (b"{}", {"content-encoding": "br"}, 501, "unimplemented", "content encoding 'br' is not supported"),
        (b"{}", {"content-encoding": "gzip"}, 400, "invalid_argument", "not compressed as its content encoding"),
        (gzip.compress(bytes(50 * MAX_BYTES)), {"content-encoding": "gzip"}, 429, "resource_exhausted", "larger than"),
        (b"{}", {"connect-protocol-version": "2"}, 400, "invalid_argument", "connect-protocol-version: expected 1"),
        (b"{}", {"connect-timeout-ms": "1.5"}, 400, "invalid_argument", "connect-timeout-ms: expected up to ten"),
        (b"{}", {"connect-timeout-ms": "1" * 11}, 400, "invalid_argument", "connect-timeout-ms: expected up to ten"),
        (b"{}", {"connect-timeout-ms": "0"}, 504, "deadline_exceeded", "the deadline passed"),
        (b'{"modelName":"doubling"}', {}, 400, "invalid_argument", "x"),
    ],
)
def test_an_error_has_a_code_a_sentence_and_the_status_of_its_code(
    body: bytes, headers: dict[str, str], status: int, code: str, sentence: str
) -> None:
    async def scenario(service: Service) -> None:
        answered = await service.client.post(INFER, content=body, headers=JSON | headers)
        assert answered.headers["content-type"] == "application/json"
        error = answered.json()
        assert (answered.status_code, error["code"]) == (status, code)
        assert sentence in error["message"]
        assert "\n" not in error["message"]
        assert len(error["message"]) < 400

    run(scenario)


def test_the_services_own_failures_keep_their_codes() -> None:
    async def scenario(service: Service) -> None:
        body = infer_request(POISON).SerializeToString()
        answered = await service.client.post(INFER, content=body, headers=PROTO)
        assert (answered.status_code, answered.json()["code"]) == (500, "internal")
        service.dataplane.accepting = False
        answered = await service.client.post(INFER, content=infer_request(1).SerializeToString(), headers=PROTO)
        assert (answered.status_code, answered.json()["code"]) == (503, "unavailable")

    run(scenario)


def test_what_admission_has_found_late_is_rejected() -> None:
    async def scenario(service: Service) -> None:
        answered = await service.client.post(INFER, content=b"{}", headers=JSON)
        assert (answered.status_code, answered.json()["code"]) == (429, "resource_exhausted")
        assert answered.headers["retry-after"] == "1"
        assert (await service.client.post(f"{OIP}/ServerLive", content=b"{}", headers=JSON)).json() == {"live": True}

    run(scenario, scope={LATE: True})


def test_what_a_request_has_waited_counts() -> None:
    async def scenario(service: Service) -> None:
        late = JSON | {"connect-timeout-ms": "3000"}
        assert (await service.client.post(METADATA, content=b'{"name":"doubling"}', headers=late)).status_code == 504
        late = JSON | {"connect-timeout-ms": "30000"}
        assert (await service.client.post(METADATA, content=b'{"name":"doubling"}', headers=late)).status_code == 200

    run(scenario, scope={WAITED: 5.0})


def test_a_token_is_asked_for_and_probes_need_none() -> None:
    async def scenario(service: Service) -> None:
        for headers, status in (({}, 401), ({"authorization": "Bearer secret"}, 200), ({"authorization": "x"}, 401)):
            answered = await service.client.post(f"{OIP}/ServerMetadata", content=b"{}", headers=JSON | headers)
            assert answered.status_code == status
            assert status == 200 or answered.json()["code"] == "unauthenticated"
            assert status == 200 or answered.headers["www-authenticate"] == "Bearer"
        assert (await service.client.post(f"{OIP}/ServerLive", content=b"{}", headers=JSON)).json() == {"live": True}
        hidden = await service.client.post(CHECK, content=b'{"service":"nope"}', headers=JSON)
        assert (hidden.status_code, hidden.json()) == (404, {"code": "not_found", "message": HIDDEN})
        authorized = JSON | {"authorization": "Bearer secret"}
        shown = await service.client.post(CHECK, content=b'{"service":"nope"}', headers=authorized)
        assert shown.json()["message"].startswith("there is no such service: ask for none or liveness")

    run(scenario, token="secret")


def test_a_caller_without_a_certificate_gets_only_probes() -> None:
    async def scenario(service: Service) -> None:
        answered = await service.client.post(f"{OIP}/ServerMetadata", content=b"{}", headers=JSON)
        assert (answered.status_code, answered.json()["code"]) == (401, "unauthenticated")
        assert "certificate" in answered.json()["message"]
        assert (await service.client.post(f"{OIP}/ServerLive", content=b"{}", headers=JSON)).json() == {"live": True}
        hidden = await service.client.post(CHECK, content=b'{"service":"nope"}', headers=JSON)
        assert hidden.json()["message"] == HIDDEN

    run(scenario, scope={"state": {UNCERTIFIED: True}})


def test_an_unknown_method_is_unimplemented_and_an_unknown_service_not_there() -> None:
    async def scenario(service: Service) -> None:
        answered = await service.client.post(f"{OIP}/ModelInfr", content=b"{}", headers=JSON)
        assert (answered.status_code, answered.json()["code"]) == (501, "unimplemented")
        assert "did you mean `ModelInfer`?" in answered.json()["message"]
        answered = await service.client.post("/inference.GRPCInferenceServic/ModelInfer", content=b"{}", headers=JSON)
        assert answered.status_code == 404
        assert "did you mean `/inference.GRPCInferenceService`?" in answered.json()["error"]

    run(scenario)


def test_other_services_are_there_too() -> None:
    async def scenario(service: Service) -> None:
        status = "/tensorflow.serving.ModelService/GetModelStatus"
        body = b'{"modelSpec":{"name":"doubling"}}'
        answered = (await service.client.post(status, content=body, headers=JSON)).json()
        assert answered["modelVersionStatus"][0]["state"] == "AVAILABLE"
        metadata = "/tensorflow.serving.PredictionService/GetModelMetadata"
        body = b'{"modelSpec":{"name":"doubling"},"metadataField":["signature_def"]}'
        answered = (await service.client.post(metadata, content=body, headers=JSON)).json()
        assert answered["metadata"]["signature_def"]["@type"].endswith("tensorflow.serving.SignatureDefMap")
        health = await service.client.post(CHECK, content=b"{}", headers=JSON)
        assert health.json() == {"status": "SERVING"}

    run(scenario)


def test_the_rows_of_a_caller_who_has_gone_are_not_computed() -> None:
    async def scenario(service: Service) -> None:
        engine.gate = threading.Event()
        first = asyncio.ensure_future(
            service.client.post(INFER, content=infer_request(1).SerializeToString(), headers=PROTO)
        )
        while not engine.batches:
            await asyncio.sleep(0.005)
        sent = [{"type": "http.request", "body": infer_request(2).SerializeToString()}, {"type": "http.disconnect"}]
        answers: list[Any] = []

        async def receive() -> Any:
            return sent.pop(0) if sent else await asyncio.Event().wait()

        async def send(said: Any) -> None:
            answers.append(said)

        headers = [(b"content-type", b"application/proto")]
        await service.app({"type": "http", "method": "POST", "path": INFER, "headers": headers}, receive, send)
        assert answers[0]["status"] == 499
        engine.gate.set()
        assert read_doubles((await first).content) == [2]
        assert engine.batches == [1]

    engine = Doubling(seconds=0.01)
    run(scenario, engine=engine)
