"""The bearer token over HTTP; over gRPC see test_server."""

import json
from collections.abc import Iterator

import grpc
import httpx
import pytest

from ekiben.model.package import PackedModel
from ekiben.service.auth import Authenticator
from ekiben.service.errors import BadRequest
from tests.conftest import NAME, Server, serve, wait_until
from tests.http_client import HTTP

TOKEN = "s3cret-t0ken"
RIGHT = {"authorization": f"Bearer {TOKEN}"}


@pytest.mark.parametrize("header", [b"Bearer s3cret", b"bearer s3cret", b"BEARER   s3cret ", b"Bearer \ts3cret"])
def test_the_right_token_passes(header: bytes) -> None:
    Authenticator([b"s3cret"]).check([header])


@pytest.mark.parametrize(
    ("headers", "said"),
    [
        ([], "is missing"),
        ([b""], "is wrong"),
        ([b"Bearer "], "is wrong"),
        ([b"Bearer"], "is wrong"),
        ([b"s3cret"], "is wrong"),
        ([b"Basic s3cret"], "is wrong"),
        ([b"Bearer s3cre"], "is wrong"),
        ([b"Bearer s3cretx"], "is wrong"),
        ([b"Bearer S3CRET"], "is wrong"),
        ([b"Bearer s3 cret"], "is wrong"),
        ([b"Bearer s3cr\xe9t"], "is wrong"),
        ([b"\xff\x00"], "is wrong"),
        ([b"Bearer s3cret", b"Bearer s3cret"], "was sent more than once"),
    ],
)
def test_anything_else_does_not(headers: list[bytes], said: str) -> None:
    with pytest.raises(BadRequest) as rejected:
        Authenticator([b"s3cret"]).check(headers)
    assert (rejected.value.status, rejected.value.headers) == (401, ((b"www-authenticate", b"Bearer"),))
    assert str(rejected.value) == f"the bearer token {said}: send the header `Authorization: Bearer …`"


def test_without_a_token_the_door_is_open() -> None:
    assert not Authenticator().required
    assert Authenticator([b"s3cret"]).required


@pytest.fixture(scope="module")
def guarded(model: PackedModel, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serve(tmp_path_factory.mktemp("guarded"), AUTH_TOKEN=TOKEN) as server:
        yield server


PROBES = ("/livez", "/readyz", "/healthz", "/ping", "/health", "/", "/v2/health/live", "/v2/health/ready")
PROBES += ("/docs.html", f"/docs/{NAME}.html", "/docs.js", "/docs.css", "/docs/swagger-ui.css")
PROBES += (f"/v2/models/{NAME}/ready", f"/v1/models/{NAME}")
PROBES += ("/livez/", "/v2/health/live/", f"/v1/models/{NAME}/")
CLOSED = (
    "/docs.json",
    "/static_content/swagger-ui.css",
    "/metrics",
    "/openapi.json",
    "/predict",
    "/v2",
    "/v1/models",
    "/nowhere",
    "/static/x",
    "//livez",
)
CLOSED += ("/predict/", "/v2/", "/LIVEZ", "/ping/x", "/invocations")
CLOSED += (f"/v1/models/{NAME}:predict", f"/v2/models/{NAME}/infer")


@pytest.mark.slow
@pytest.mark.parametrize("path", PROBES)
def test_probes_need_no_token(guarded: Server, path: str) -> None:
    assert HTTP.get(guarded.url + path).status_code == 200
    assert HTTP.head(guarded.url + path).status_code == 200


WRONG_NAMES = ("/v2/models/x/ready", f"/v2/models/{NAME}/versions/77/ready", f"/v1/models/{NAME}/labels/x")
WRONG_NAMES += ("/v1/models/x", f"/v1/models/{NAME}/versions/77", f"/v1/models/{NAME}/versions/x")


@pytest.mark.slow
@pytest.mark.parametrize("path", WRONG_NAMES)
@pytest.mark.parametrize("headers", [{}, {"authorization": "Bearer wrong"}])
def test_a_probe_that_fails_names_no_model_without_the_token(
    guarded: Server, model: PackedModel, path: str, headers: dict[str, str]
) -> None:
    rejected = HTTP.get(guarded.url + path, headers=headers)
    told = HTTP.get(guarded.url + path, headers=RIGHT)
    assert rejected.status_code == told.status_code in (400, 404)
    said = "the probe failed: send the header `Authorization: Bearer …` to get the reason"
    assert rejected.json() == {"error": said}
    assert said not in told.text


@pytest.mark.slow
def test_no_open_path_says_which_model_is_served(guarded: Server) -> None:
    for path in (
        "/livez",
        "/readyz",
        "/healthz",
        "/ping",
        "/health",
        "/",
        "/v2/health/live",
        "/v2/health/ready",
        "/docs.html",
    ):
        answered = HTTP.get(guarded.url + path)
        assert NAME not in answered.text + str(answered.headers)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "body"),
    [
        ("inference.GRPCInferenceService/ModelReady", b"\x0a\x01x"),  # of the model `x`
        ("inference.GRPCInferenceService/ModelReady", b""),
        ("tensorflow.serving.ModelService/GetModelStatus", b"\x0a\x03\x0a\x01x"),
        ("tensorflow.serving.ModelService/GetModelStatus", b""),
        ("tensorflow.serving.ModelService/GetModelStatus", b"\xff"),
    ],
)
def test_a_grpc_probe_that_fails_names_no_model_without_the_token(guarded: Server, method: str, body: bytes) -> None:
    def ask(*metadata: tuple[str, str]) -> grpc.RpcError:
        with grpc.insecure_channel(guarded.grpc) as channel, pytest.raises(grpc.RpcError) as rejected:
            channel.unary_unary(f"/{method}")(body, metadata=metadata)
        return rejected.value

    told = ask(("authorization", f"Bearer {TOKEN}"))
    for rejected in (ask(), ask(("authorization", "Bearer wrong"))):
        assert rejected.code() == told.code()
        assert rejected.details() == "the probe failed: send the header `Authorization: Bearer …` to get the reason"
    assert "Authorization" not in told.details()


@pytest.mark.slow
@pytest.mark.parametrize("path", CLOSED)
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS", "DELETE"])
def test_all_else_does(guarded: Server, path: str, method: str) -> None:
    rejected = HTTP.request(method, guarded.url + path)
    assert rejected.status_code == 401
    assert rejected.headers["www-authenticate"] == "Bearer"
    assert rejected.json() == {"error": "the bearer token is missing: send the header `Authorization: Bearer …`"}
    assert HTTP.request(method, guarded.url + path, headers=RIGHT).status_code != 401


@pytest.mark.slow
def test_only_the_probes_own_method_is_open(guarded: Server) -> None:
    assert HTTP.post(f"{guarded.url}/ping").status_code == 401
    assert HTTP.post(f"{guarded.url}/ping", headers=RIGHT).status_code == 405


@pytest.mark.slow
def test_the_api_reference_is_open_and_what_it_shows_needs_the_token(guarded: Server) -> None:
    page = HTTP.get(f"{guarded.url}/docs.html")
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert NAME not in page.text
    for path in ("/docs.json", f"/docs/{NAME}.json"):
        assert HTTP.get(guarded.url + path).status_code == 401
        assert HTTP.get(guarded.url + path, headers=RIGHT).status_code == 200


@pytest.mark.slow
def test_rows_are_predicted_with_the_token_only(guarded: Server, model: PackedModel) -> None:
    body = json.dumps({"rows": [model.schema.example]})

    def post(*headers: tuple[str, str]) -> httpx.Response:
        return HTTP.post(f"{guarded.url}/predict", content=body, headers=[*headers])

    right = ("Authorization", f"Bearer {TOKEN}")
    assert post(right).status_code == 200
    for headers, said in [
        ((), "is missing"),
        ((("Authorization", "Bearer wrong"),), "is wrong"),
        ((right, right), "was sent more than once"),
    ]:
        rejected = post(*headers)
        assert (rejected.status_code, said in rejected.json()["error"]) == (401, True)


@pytest.mark.slow
def test_rejections_are_counted(guarded: Server) -> None:
    line = 'ekiben_inference_requests_total{code="401",protocol="front_door"}'
    with httpx.Client(headers=RIGHT) as client:

        def counted() -> float:
            lines = client.get(f"{guarded.url}/metrics").text.splitlines()
            return sum(float(one.rpartition(" ")[2]) for one in lines if one.startswith(line))

        HTTP.get(f"{guarded.url}/predict")
        before = counted()
        HTTP.get(f"{guarded.url}/predict")
        wait_until(lambda: counted() > before)


@pytest.mark.slow
def test_grpc_asks_for_the_same_token(guarded: Server) -> None:
    metadata = "/inference.GRPCInferenceService/ServerMetadata"
    with grpc.insecure_channel(guarded.grpc) as channel:
        with pytest.raises(grpc.RpcError) as rejected:
            channel.unary_unary(metadata)(b"")
        assert rejected.value.code() is grpc.StatusCode.UNAUTHENTICATED
        assert channel.unary_unary(metadata)(b"", metadata=[("authorization", f"Bearer {TOKEN}")])
        for probe in ("ServerLive", "ServerReady"):
            assert channel.unary_unary(f"/inference.GRPCInferenceService/{probe}")(b"") == b"\x08\x01"
        assert channel.unary_unary("/grpc.health.v1.Health/Check")(b"") == b"\x08\x01"


@pytest.mark.slow
def test_the_token_is_written_nowhere(guarded: Server) -> None:
    log = guarded.log.read_text()
    assert TOKEN not in log
    assert '-H "authorization: Bearer $AUTH_TOKEN"' in log  # the command to try, as it can be pasted
