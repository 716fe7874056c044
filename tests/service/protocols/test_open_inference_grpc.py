"""The Open Inference Protocol over gRPC against the running service."""

import asyncio
import json
import struct
from collections.abc import Callable, Iterator
from typing import Any

import grpc
import pytest
import tritonclient.grpc as triton
import tritonclient.grpc.aio as triton_aio
from tritonclient.grpc import service_pb2, service_pb2_grpc
from tritonclient.utils import InferenceServerException

from ekiben.model.package import GOLDEN_FILE, PackedModel
from tests.callers import triton_inputs
from tests.conftest import NAME, PATIENCE_S, Server
from tests.http_client import HTTP
from tests.open_inference_requests import raw_request, typed_request

pytestmark = pytest.mark.slow

INVALID, NOT_FOUND = grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND


@pytest.fixture(scope="module")
def rows(model: PackedModel) -> list[dict[str, Any]]:
    golden: list[dict[str, Any]] = json.loads((model.path / GOLDEN_FILE).read_text())["rows"]
    return golden[:40]


@pytest.fixture
def server(grpc_service: Server) -> Server:
    """A whole service, once with either gRPC server."""
    return grpc_service


@pytest.fixture
def stub(server: Server) -> Iterator[Any]:
    """Triton's own stub: its messages must mean the same as ours."""
    with grpc.insecure_channel(server.grpc) as channel:
        yield service_pb2_grpc.GRPCInferenceServiceStub(channel)


def predict(server: Server, rows: list[dict[str, Any]]) -> list[float]:
    answered = HTTP.post(f"{server.url}/predict", json={"rows": rows}).json()
    return [one["probability"] for one in answered["predictions"]]


def rejection(call: Callable[[], Any], code: grpc.StatusCode = INVALID) -> str:
    with pytest.raises(grpc.RpcError) as rejected:
        call()
    assert rejected.value.code() is code, rejected.value
    return str(rejected.value.details())


# What works


def test_typed_tensors_are_answered_typed(server: Server, model: PackedModel, rows: list[Any], stub: Any) -> None:
    request = typed_request(model, rows)
    request.id = "größe"
    answered = stub.ModelInfer(request)
    assert (answered.model_name, answered.model_version, answered.id) == (NAME, "1", "größe")
    probability, label = answered.outputs
    assert (probability.datatype, list(probability.shape)) == ("FP32", [len(rows), 1])
    assert list(probability.contents.fp32_contents) == predict(server, rows)
    assert list(label.contents.bool_contents) == [one >= 0.5 for one in probability.contents.fp32_contents]
    assert not answered.raw_output_contents


def test_raw_tensors_are_answered_raw(server: Server, model: PackedModel, rows: list[Any], stub: Any) -> None:
    answered = stub.ModelInfer(raw_request(model, rows))
    raw, labels = answered.raw_output_contents
    assert list(struct.unpack(f"<{len(rows)}f", raw)) == predict(server, rows)
    assert len(labels) == len(rows)
    assert not any(output.HasField("contents") for output in answered.outputs)


def test_a_parameter_says_how_it_is_answered(model: PackedModel, rows: list[Any], stub: Any) -> None:
    requests = typed_request(model, rows), raw_request(model, rows)
    for request, raw in zip(requests, (True, False), strict=True):
        request.parameters["binary_data_output"].bool_param = raw
        answered = stub.ModelInfer(request)
        assert len(answered.raw_output_contents) == (2 if raw else 0)
        assert [output.HasField("contents") for output in answered.outputs] == [not raw] * 2
    requests[0].parameters["binary_data_output"].string_param = "yes"
    with pytest.raises(grpc.RpcError, match="parameter `binary_data_output`: expected true or false, got 'yes'"):
        stub.ModelInfer(requests[0])


@pytest.mark.parametrize(
    ("method", "sentence"),
    [
        ("inference.GRPCInferenceService/SystemSharedMemoryStatus", "shared memory is not served here"),
        ("inference.GRPCInferenceService/ModelInfr", "did you mean `ModelInfer`?"),
        ("tensorflow.serving.PredictionService/MultiInference", "call Classify or Regress"),
    ],
)
def test_what_is_not_served_says_what_is(server: Server, method: str, sentence: str) -> None:
    with grpc.insecure_channel(server.grpc) as channel, pytest.raises(grpc.RpcError) as rejected:
        channel.unary_unary(f"/{method}")(b"", timeout=PATIENCE_S)
    error: Any = rejected.value
    assert (error.code(), sentence in error.details()) == (grpc.StatusCode.UNIMPLEMENTED, True), error.details()


def test_one_tensor_may_hold_all_features(server: Server, model: PackedModel, rows: list[Any], stub: Any) -> None:
    names = model.schema.names
    request = service_pb2.ModelInferRequest(model_name=NAME, model_version="champion")
    tensor = request.inputs.add(name="rows", datatype="BYTES", shape=[len(rows), len(names)])
    strings = ["" if row[name] is None else str(row[name]) for row in rows for name in names]
    tensor.contents.bytes_contents.extend([text.encode() for text in strings])
    (probability, _) = stub.ModelInfer(request).outputs
    assert list(probability.contents.fp32_contents) == predict(server, rows)


def test_outputs_are_those_asked_for(model: PackedModel, rows: list[Any], stub: Any) -> None:
    request = typed_request(model, rows[:1])
    request.outputs.add(name="label")
    request.outputs.add(name="probability").parameters["classification"].int64_param = 2
    label, probability = stub.ModelInfer(request).outputs
    assert (label.name, probability.datatype, list(probability.shape)) == ("label", "BYTES", [1, 2])
    value, _, name = probability.contents.bytes_contents[0].decode().split(":")
    assert float(value) >= 0.5
    assert name == str(label.contents.bool_contents[0]).lower()


def test_whole_numbers_may_be_typed_as_such(server: Server, model: PackedModel, rows: list[Any], stub: Any) -> None:
    request = typed_request(model, rows[:2])
    index = next(index for index, tensor in enumerate(request.inputs) if tensor.name == "distance")
    tensor = request.inputs[index]
    for datatype, field in (("INT32", "int_contents"), ("UINT16", "uint_contents"), ("INT64", "int64_contents")):
        tensor.datatype = datatype
        tensor.ClearField("contents")
        getattr(tensor.contents, field).extend([int(row["distance"]) for row in rows[:2]])
        (probability, _) = stub.ModelInfer(request).outputs
        assert list(probability.contents.fp32_contents) == predict(server, rows[:2])


def test_tritons_aio_client_gets_the_same_bits(server: Server, model: PackedModel, rows: list[Any]) -> None:
    async def ask() -> list[float]:
        async with triton_aio.InferenceServerClient(server.grpc) as client:
            assert await client.is_model_ready(NAME)
            inputs = triton_inputs(triton_aio, model.schema, rows)
            answered = await client.infer(NAME, inputs, timeout=5_000_000, client_timeout=5)
        values: list[float] = answered.as_numpy("probability").ravel().tolist()
        return values

    assert asyncio.run(ask()) == predict(server, rows)


def test_the_model_describes_itself(model: PackedModel, stub: Any) -> None:
    about = stub.ModelMetadata(service_pb2.ModelMetadataRequest(name=NAME))
    assert [tensor.name for tensor in about.inputs] == list(model.schema.names)
    assert [list(tensor.shape) for tensor in about.outputs] == [[-1, 1], [-1, 1]]
    config = stub.ModelConfig(service_pb2.ModelConfigRequest(name=NAME, version="1")).config
    assert (config.max_batch_size, config.HasField("dynamic_batching")) == (4096, True)
    assert list(config.input[0].dims) == [1]
    assert stub.ServerMetadata(service_pb2.ServerMetadataRequest()).name == "ekiben"
    (index,) = stub.RepositoryIndex(service_pb2.RepositoryIndexRequest(ready=True)).models
    assert (index.name, index.version, index.state) == (NAME, "1", "READY")


def test_statistics_count_rows(model: PackedModel, rows: list[Any], stub: Any) -> None:
    def count() -> Any:
        (stats,) = stub.ModelStatistics(service_pb2.ModelStatisticsRequest()).model_stats
        return stats

    before = count()
    stub.ModelInfer(typed_request(model, rows))
    after = count()
    assert after.inference_count - before.inference_count == len(rows)
    assert after.inference_stats.success.ns > before.inference_stats.success.ns


# What is rejected


def first_tensor(**change: Any) -> Callable[[Any], None]:
    def make(request: Any) -> None:
        tensor = request.inputs[0]
        for name, value in change.items():
            if name == "shape":
                tensor.ClearField("shape")
                tensor.shape.extend(value)
            else:
                setattr(tensor, name, value)

    return make


def extend_contents(field: str, *values: Any) -> Callable[[Any], None]:
    def make(request: Any) -> None:
        request.inputs[0].ClearField("contents")
        getattr(request.inputs[0].contents, field).extend(values)

    return make


def set_parameter(kind: str, value: Any) -> Callable[[Any], None]:
    return lambda request: setattr(request.parameters["timeout"], kind, value)


FIRST = "`scheduled_departure`: "
TYPED: dict[str, tuple[Callable[[Any], Any], str]] = {
    "no inputs": (lambda request: request.ClearField("inputs"), "`inputs`: expected at least one tensor"),
    "name twice": (first_tensor(name="carrier"), "`carrier`: is there twice"),
    "name unknown": (first_tensor(name="when"), "row 0: `when`: unknown field"),
    "no datatype": (first_tensor(datatype=""), FIRST + "datatype  is unknown: send one of"),
    "datatype unknown": (first_tensor(datatype="STRING"), FIRST + "datatype STRING is unknown: send one of"),
    "datatype FP16": (first_tensor(datatype="FP16"), FIRST + "FP16 has no typed contents: send it raw, or as FP32"),
    "contents of another": (
        first_tensor(datatype="INT64"),
        FIRST + "has bytes_contents, its datatype INT64 is for int64",
    ),
    "no contents": (lambda r: r.inputs[0].ClearField("contents"), FIRST + "has 0 values, its shape [2, 1] is for 2"),
    "too few": (extend_contents("bytes_contents", b"a"), FIRST + "has 1 values, its shape [2, 1] is for 2"),
    "no UTF-8": (extend_contents("bytes_contents", b"\xff", b""), FIRST + "expected text in UTF-8, got other bytes"),
    "shape empty": (first_tensor(shape=[]), FIRST + "has the shape []: expected [rows] or [rows, 1]"),
    "shape negative": (first_tensor(shape=[-1]), FIRST + "has the shape [-1]: expected"),
    "shape of three": (first_tensor(shape=[2, 1, 1]), FIRST + "has the shape [2, 1, 1]: expected"),
    "shape huge": (first_tensor(shape=[2**62]), f"{2**62} rows are more than 20000"),
    "rows differ": (
        lambda r: (first_tensor(shape=[1])(r), extend_contents("bytes_contents", b"2013-07-01")(r)),
        "`carrier`: has 2 values, `scheduled_departure` has 1",
    ),
    "output unknown": (
        lambda r: r.outputs.add(name="labels"),
        "`outputs`: 'labels' is not an output of this model; did you",
    ),
    "output twice": (
        lambda r: (r.outputs.add(name="label"), r.outputs.add(name="label")),
        "`outputs`: 'label' is there",
    ),
    "timeout zero": (
        set_parameter("int64_param", 0),
        "parameter `timeout`: expected whole microseconds above 0, got 0",
    ),
    "timeout a string": (
        set_parameter("string_param", "5"),
        "parameter `timeout`: expected whole microseconds above 0",
    ),
    "a value wrong": (
        extend_contents("bytes_contents", b"x", b"y"),
        "row 0: `scheduled_departure`: expected an ISO 8601",
    ),
}


@pytest.mark.parametrize(("damage", "sentence"), TYPED.values(), ids=TYPED)
def test_what_is_malformed_is_named(
    model: PackedModel, rows: list[Any], stub: Any, damage: Callable[[Any], Any], sentence: str
) -> None:
    request = typed_request(model, rows[:2])
    damage(request)
    assert rejection(lambda: stub.ModelInfer(request)).startswith(sentence)


def set_raw(content: bytes) -> Callable[[Any], None]:
    return lambda request: request.raw_input_contents.__setitem__(0, content)


PLACE = f"for 'scheduled_departure' for model '{NAME}'"
RAW: dict[str, tuple[Callable[[Any], Any], str]] = {
    "mixed": (
        lambda request: request.inputs[0].contents.bytes_contents.append(b"a"),
        f"contents field must not be specified when using raw_input_contents {PLACE}",
    ),
    "too few": (
        lambda request: request.raw_input_contents.pop(),
        f"there are no raw_input_contents for 'aircraft_seats' for model '{NAME}': send one for each input, in order",
    ),
    "too many": (
        lambda request: request.raw_input_contents.append(b""),
        "there are 21 raw_input_contents for 20 inputs: send one for each, in order",
    ),
    "empty": (set_raw(b""), FIRST + "has 0 bytes, too few for the lengths of 2 strings"),
    "a string cut off": (
        set_raw(b"\x05\0\0\0abcde\x05\0\0\0ab"),
        FIRST + "ends within text 1, which should have 5 bytes",
    ),
    "a length cut off": (set_raw(b"\x05\0\0\0abcde\x05\0\0"), FIRST + "ends before the length of text 1"),
    "more": (set_raw(b"\0\0\0\0\0\0\0\0x"), FIRST + "has 1 bytes more than its shape is for"),
    "numbers too short": (
        first_tensor(datatype="FP32"),
        FIRST + "has 46 bytes, its shape and datatype are for 8: send as many",
    ),
}


@pytest.mark.parametrize(("damage", "sentence"), RAW.values(), ids=RAW)
def test_damaged_raw_tensors_are_named(
    model: PackedModel, rows: list[Any], stub: Any, damage: Callable[[Any], Any], sentence: str
) -> None:
    request = raw_request(model, rows[:2])
    damage(request)
    assert rejection(lambda: stub.ModelInfer(request)) == sentence


def test_what_is_not_served_is_not_found(model: PackedModel, rows: list[Any], stub: Any) -> None:
    request = typed_request(model, rows[:1])
    request.model_version = "9"
    assert rejection(lambda: stub.ModelInfer(request), NOT_FOUND).startswith(f"version '9' of `{NAME}` is not served")
    for call, kind in (
        (stub.ModelInfer, service_pb2.ModelInferRequest(model_name="other")),
        (stub.ModelReady, service_pb2.ModelReadyRequest(name="other")),
        (stub.ModelMetadata, service_pb2.ModelMetadataRequest(name="other")),
        (stub.ModelConfig, service_pb2.ModelConfigRequest(name="other")),
        (stub.ModelStatistics, service_pb2.ModelStatisticsRequest(name="other")),
    ):
        assert rejection(lambda call=call, kind=kind: call(kind), NOT_FOUND).startswith(
            "model 'other' is not served here"
        )
    for load, request, sentence in (
        (stub.RepositoryModelLoad, service_pb2.RepositoryModelLoadRequest, "there is no model `other` in the"),
        (stub.RepositoryModelUnload, service_pb2.RepositoryModelUnloadRequest, "model 'other' is not served here"),
    ):
        said = rejection(lambda load=load, request=request: load(request(model_name="other")), NOT_FOUND)
        assert said.startswith(sentence)


def test_bytes_that_are_no_message_are_rejected(server: Server) -> None:
    with grpc.insecure_channel(server.grpc) as channel:
        ask = channel.unary_unary("/inference.GRPCInferenceService/ModelInfer")
        assert "its protobuf can't be read" in rejection(lambda: ask(b"\xff\xff\xff"))


@pytest.mark.parametrize("options", [{"timeout": 1}, {"client_timeout": 0.0001}])
def test_both_deadlines_count(server: Server, model: PackedModel, rows: list[Any], options: dict[str, Any]) -> None:
    with triton.InferenceServerClient(server.grpc) as client:
        many = rows * (10_000 // len(rows))  # none is answered within 0.1 ms, though a few rows may be
        inputs = triton_inputs(triton, model.schema, many)
        with pytest.raises(InferenceServerException) as rejected:
            client.infer(NAME, inputs, **options)
    assert rejected.value.status() in ("StatusCode.DEADLINE_EXCEEDED", "StatusCode.RESOURCE_EXHAUSTED")


def test_a_wrong_call_leaves_no_traceback(server: Server, stub: Any) -> None:
    rejection(lambda: stub.ModelInfer(service_pb2.ModelInferRequest(model_name=NAME)))
    assert "Traceback" not in server.log.read_text()
