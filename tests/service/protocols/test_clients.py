"""Real clients of every protocol get the same answers, to the bit; what they ask for besides is there."""

import json
from collections.abc import Iterator
from typing import Any

import grpc
import pytest
import tritonclient.grpc as triton_grpc
import tritonclient.http as triton_http
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from mlflow.pyfunc.scoring_server.client import ScoringServerClient
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_service_pb2_grpc,
    prediction_service_pb2_grpc,
    regression_pb2,
)
from tritonclient.utils import InferenceServerException

from ekiben.model.package import GOLDEN_FILE, PackedModel
from tests.callers import CALLERS, Caller, triton_inputs
from tests.conftest import ALONE, NAME, ROOT, Server, serve
from tests.http_client import HTTP

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def rows(model: PackedModel) -> list[dict[str, Any]]:
    golden: list[dict[str, Any]] = json.loads((model.path / GOLDEN_FILE).read_text())["rows"]
    return golden[:32]


@pytest.fixture(scope="module")
def wanted(server: Server, rows: list[dict[str, Any]]) -> tuple[list[float], list[Any]]:
    answered = HTTP.post(f"{server.url}/predict", json={"rows": rows}).json()["predictions"]
    return [one["probability"] for one in answered], [one["label"] for one in answered]


@pytest.fixture
def channel(server: Server) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(server.grpc) as opened:
        yield opened


@pytest.fixture(scope="module")
def alone(model: PackedModel, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The service in one process, as the image has it."""
    with serve(tmp_path_factory.mktemp("alone"), ALONE) as running:
        yield running


@pytest.mark.parametrize("way", ["server", "alone"])
@pytest.mark.parametrize("caller", [pytest.param(call, id=", ".join(names)) for names, call in CALLERS.items()])
def test_every_client_gets_the_same_bits(
    request: pytest.FixtureRequest,
    model: PackedModel,
    rows: list[dict[str, Any]],
    wanted: Any,
    caller: Caller,
    way: str,
) -> None:
    serving: Server = request.getfixturevalue(way)
    assert any(None in row.values() for row in rows)  # something is missing
    assert caller(serving, model.schema, rows) == wanted
    assert caller(serving, model.schema, rows[:1]) == (wanted[0][:1], wanted[1][:1])


def test_the_table_in_the_docs_names_every_client() -> None:
    docs = (ROOT / "docs" / "protocols.md").read_text()
    for client, feature in CALLERS:
        assert f"| {client} | {feature} |" in docs


@pytest.mark.parametrize("module", [triton_http, triton_grpc])
def test_triton_clients_find_what_they_ask_for(
    server: Server, model: PackedModel, rows: list[dict[str, Any]], module: Any
) -> None:
    address = server.grpc if module is triton_grpc else server.url.removeprefix("http://")
    options = {"as_json": True} if module is triton_grpc else {}
    with module.InferenceServerClient(address) as client:
        assert client.is_server_live()
        assert client.is_server_ready()
        assert client.is_model_ready(NAME, "1")
        assert client.is_model_ready(NAME, "champion")
        assert "statistics" in client.get_server_metadata(**options)["extensions"]
        metadata = client.get_model_metadata(NAME, **options)
        assert [tensor["name"] for tensor in metadata["inputs"]] == list(model.schema.names)
        config = client.get_model_config(NAME, **options)
        assert config.get("config", config)["max_batch_size"] == 4096
        before = client.get_inference_statistics(NAME, **options)["model_stats"][0]
        asked = module.InferRequestedOutput("probability", class_count=2)
        inputs = triton_inputs(module, model.schema, rows[:3])
        answered = client.infer(NAME, inputs, outputs=[asked], request_id="mine", timeout=5_000_000)
        response = answered.get_response()
        assert (response["id"] if module is triton_http else response.id) == "mine"
        (value, index, label) = answered.as_numpy("probability")[0][0].decode().split(":")
        assert (float(value) >= 0.5, label) == (True, {"0": "false", "1": "true"}[index])
        after = client.get_inference_statistics(NAME, **options)["model_stats"][0]
        assert int(after["inference_count"]) - int(before["inference_count"]) == 3
        assert client.get_model_repository_index()


@pytest.mark.parametrize("module", [triton_http, triton_grpc])
def test_triton_clients_are_told_what_is_wrong(
    server: Server, model: PackedModel, rows: list[dict[str, Any]], module: Any
) -> None:
    address = server.grpc if module is triton_grpc else server.url.removeprefix("http://")
    inputs = triton_inputs(module, model.schema, rows[:2])
    with module.InferenceServerClient(address) as client:
        with pytest.raises(InferenceServerException, match="model 'other' is not served here"):
            client.infer("other", inputs)
        with pytest.raises(InferenceServerException, match="version '9' of"):
            client.infer(NAME, inputs, model_version="9")
        with pytest.raises(InferenceServerException, match="`distance`: missing"):
            client.infer(NAME, [one for one in inputs if one.name() != "distance"])
        with pytest.raises(InferenceServerException, match="'x' is not an output of this model"):
            client.infer(NAME, inputs, outputs=[module.InferRequestedOutput("x")])


def test_tensorflow_serving_clients_find_status_and_signature(channel: grpc.Channel, model: PackedModel) -> None:
    request = get_model_status_pb2.GetModelStatusRequest()
    request.model_spec.name = NAME
    (status,) = model_service_pb2_grpc.ModelServiceStub(channel).GetModelStatus(request).model_version_status
    assert (status.version, status.state) == (1, get_model_status_pb2.ModelVersionStatus.AVAILABLE)
    about = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
    about.model_spec.name = NAME
    packed = (
        prediction_service_pb2_grpc.PredictionServiceStub(channel).GetModelMetadata(about).metadata["signature_def"]
    )
    signatures = get_model_metadata_pb2.SignatureDefMap()
    assert packed.Unpack(signatures)
    assert set(signatures.signature_def["serving_default"].inputs) == set(model.schema.names)


def test_tensorflow_serving_clients_classify_examples(
    channel: grpc.Channel, model: PackedModel, rows: list[dict[str, Any]], wanted: Any
) -> None:
    request = classification_pb2.ClassificationRequest()
    request.model_spec.name = NAME
    example = request.input.example_list.examples.add()
    for name, value in rows[0].items():
        if isinstance(value, str):
            example.features.feature[name].bytes_list.value.append(value.encode())
        elif value is not None:
            example.features.feature[name].float_list.value.append(value)
    stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
    (classified,) = stub.Classify(request).result.classifications
    assert {one.label: one.score for one in classified.classes}["true"] == wanted[0][0]
    other = regression_pb2.RegressionRequest(model_spec=request.model_spec, input=request.input)
    with pytest.raises(grpc.RpcError, match="regress does not fit this model"):
        stub.Regress(other)


def test_health_is_told_by_service(channel: grpc.Channel) -> None:
    stub = health_pb2_grpc.HealthStub(channel)
    for name in ("", "liveness", "readiness", "inference.GRPCInferenceService", "tensorflow.serving.PredictionService"):
        assert stub.Check(health_pb2.HealthCheckRequest(service=name)).status == 1
    with pytest.raises(grpc.RpcError, match="there is no such service") as rejected:
        stub.Check(health_pb2.HealthCheckRequest(service="nothing"))
    assert rejected.value.code() == grpc.StatusCode.NOT_FOUND


def test_reflection_describes_every_service(channel: grpc.Channel) -> None:
    database = ProtoReflectionDescriptorDatabase(channel)
    services = set(database.get_services())
    assert services >= {
        "inference.GRPCInferenceService",
        "tensorflow.serving.PredictionService",
        "grpc.health.v1.Health",
    }
    for service in services - {"grpc.reflection.v1alpha.ServerReflection", "grpc.reflection.v1.ServerReflection"}:
        assert database.FindFileContainingSymbol(service).service[0].method


def test_mlflow_pings(server: Server) -> None:
    ScoringServerClient("127.0.0.1", int(server.url.rpartition(":")[2])).ping()
    assert HTTP.get(f"{server.url}/ping").content == b""
