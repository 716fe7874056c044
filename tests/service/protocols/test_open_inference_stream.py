"""Triton's ModelStreamInfer: each request is answered in its turn, and what is wrong with one ends no stream."""

import json
import queue
from collections.abc import Iterator
from typing import Any

import grpc
import numpy as np
import pytest
import tritonclient.grpc as triton_grpc
from tritonclient.grpc import service_pb2_grpc

from ekiben.model.package import GOLDEN_FILE, PackedModel
from tests.callers import triton_inputs
from tests.conftest import NAME, PATIENCE_S, Server
from tests.http_client import HTTP
from tests.open_inference_requests import raw_request

MANY = 300  # more than may be under way


@pytest.fixture
def server(grpc_service: Server) -> Server:
    """A whole service, once with either gRPC server."""
    return grpc_service


@pytest.fixture
def stub(server: Server) -> Iterator[Any]:
    with grpc.insecure_channel(server.grpc) as channel:
        yield service_pb2_grpc.GRPCInferenceServiceStub(channel)


@pytest.fixture(scope="module")
def rows(model: PackedModel) -> list[dict[str, Any]]:
    golden: list[dict[str, Any]] = json.loads((model.path / GOLDEN_FILE).read_text())["rows"]
    return golden[:40]


def predict(server: Server, rows: list[dict[str, Any]]) -> list[float]:
    answered = HTTP.post(f"{server.url}/predict", json={"rows": rows}).json()
    return [one["probability"] for one in answered["predictions"]]


@pytest.mark.slow
def test_answers_come_in_the_order_of_their_requests(
    server: Server, model: PackedModel, rows: list[Any], stub: Any
) -> None:
    def ask() -> Iterator[Any]:
        for number in range(MANY):
            request = raw_request(model, [rows[number % len(rows)]] * (1 + number % 3))
            request.id = f"n{number}"
            yield request

    wanted = predict(server, rows)
    answers = list(stub.ModelStreamInfer(ask(), timeout=PATIENCE_S))
    assert [one.infer_response.id for one in answers] == [f"n{number}" for number in range(MANY)]
    assert not any(one.error_message for one in answers)

    for number, one in enumerate(answers):
        given = np.frombuffer(one.infer_response.raw_output_contents[0], np.float32).tolist()
        assert given == [np.float32(wanted[number % len(rows)])] * (1 + number % 3)


@pytest.mark.slow
@pytest.mark.parametrize("compression", [grpc.Compression.NoCompression, grpc.Compression.Gzip])
def test_a_wrong_request_is_told_in_its_place_and_the_stream_goes_on(
    model: PackedModel, rows: list[Any], stub: Any, compression: grpc.Compression
) -> None:
    good, wrong = raw_request(model, rows[:1]), raw_request(model, rows[:1])
    wrong.model_name, wrong.id = "another", "w"
    answers = list(stub.ModelStreamInfer(iter([good, wrong, good]), timeout=PATIENCE_S, compression=compression))
    assert [bool(one.error_message) for one in answers] == [False, True, False]
    assert "another" in answers[1].error_message
    assert answers[1].infer_response.id == "w"
    assert answers[0].infer_response.raw_output_contents == answers[2].infer_response.raw_output_contents


@pytest.mark.slow
def test_tritons_client_streams(server: Server, model: PackedModel, rows: list[Any]) -> None:
    heard: queue.Queue[Any] = queue.Queue()
    with triton_grpc.InferenceServerClient(server.grpc) as client:
        client.start_stream(lambda result, error: heard.put((result, error)))
        for number in range(5):
            inputs = triton_inputs(triton_grpc, model.schema, rows[number : number + 1])
            client.async_stream_infer(NAME, inputs, request_id=str(number))
        answered = [heard.get(timeout=PATIENCE_S) for _ in range(5)]
        client.stop_stream()
    assert [error for _, error in answered] == [None] * 5
    assert [result.get_response().id for result, _ in answered] == list("01234")
    given = [float(result.as_numpy("probability")[0, 0]) for result, _ in answered]
    assert given == pytest.approx(predict(server, rows[:5]), abs=0)
