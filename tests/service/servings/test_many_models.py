"""One service with several problems: each call gets the model that it names, and they share nothing but the process."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from ekiben.contract.errors import InvalidModel
from ekiben.load_tests.cost.request_cost import FORMATS, read_golden
from ekiben.load_tests.requests.http_dialects import INVOCATIONS, PREDICT, RequestFormat
from ekiben.load_tests.requests.request_case import RequestCase, write_case
from ekiben.model.package import PackedModel
from ekiben.model.selection import open_models
from ekiben.service.protocols.predict import NAMED_PATH
from ekiben.service.protos import message
from tests.conftest import NAME, PATIENCE_S, Server, run, serve, using_stores, wait_until
from tests.http_client import HTTP

pytestmark = pytest.mark.slow

MODELS = (NAME, "stars", "price", "de_east", "de_west")
INVOKE = "/models/{model}/invoke"
TARGET_MODEL = "X-Amzn-SageMaker-Target-Model"
PATHS = {PREDICT.name: NAMED_PATH, INVOCATIONS.name: INVOKE}  # of dialects that can do without a name


@pytest.fixture(scope="module")
def server(many_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("server")
    names = f"{NAME},stars,price,de_*"
    environment = {"BENTOML_HOME": str(many_models), "MODEL_NAME": names}
    with serve(folder, **environment, LOG_FOLDER=str(folder / "log"), LOG_SAMPLE="1") as running:
        yield running


@pytest.fixture(scope="module")
def models(many_models: Path) -> dict[str, PackedModel]:
    with using_stores(many_models.parent):
        return {model.name: model for model in open_models(f"{NAME},stars,price,de_*")}


def send(server: Server, path: str, case: RequestCase, **headers: str) -> httpx.Response:
    return HTTP.post(server.url + path, content=case.body, headers=case.headers | headers)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("request_format", FORMATS, ids=lambda one: one.name)
def test_every_dialect_gets_the_model_that_it_names(
    server: Server, models: dict[str, PackedModel], request_format: RequestFormat, name: str
) -> None:
    model = models[name]
    case = write_case(model.schema, read_golden(model), request_format, 16)
    if request_format.grpc:
        with grpc.insecure_channel(server.grpc) as channel:
            answer = channel.unary_unary(case.path, bytes, bytes)(case.body, timeout=PATIENCE_S)
    else:
        path = PATHS.get(request_format.name, case.path).format(model=name)
        answered = send(server, path, case)
        assert answered.status_code == 200, answered.text
        answer = answered.content
    assert case.is_answered_by(answer)


@pytest.mark.parametrize("request_format", FORMATS, ids=lambda one: one.name)
def test_a_name_that_is_not_served_is_an_error(
    server: Server, models: dict[str, PackedModel], request_format: RequestFormat
) -> None:
    renamed = models[NAME].schema.model_copy(update={"name": "nowhere"})
    case = write_case(renamed, read_golden(models[NAME]), request_format, 1)
    sentence = "model 'nowhere' is not served here: `flight_delay`, `stars`, `price`, `de_east`, `de_west` are"
    if request_format.grpc:
        with grpc.insecure_channel(server.grpc) as channel, pytest.raises(grpc.RpcError) as raised:
            channel.unary_unary(case.path, bytes, bytes)(case.body, timeout=PATIENCE_S)
        code: Any = raised.value
        assert (code.code(), code.details()) == (grpc.StatusCode.NOT_FOUND, sentence)
    else:
        answered = send(server, PATHS.get(request_format.name, case.path).format(model="nowhere"), case)
        assert (answered.status_code, answered.json()["error"]) == (404, sentence)


@pytest.mark.parametrize("given", ["price", "price.tar.gz", "/europe/price.tar.gz"])
def test_sagemakers_header_names_the_model(server: Server, models: dict[str, PackedModel], given: str) -> None:
    case = write_case(models["price"].schema, read_golden(models["price"]), INVOCATIONS, 4)
    assert case.is_answered_by(send(server, "/invocations", case, **{TARGET_MODEL: given}).content)


def test_who_names_no_model_gets_the_first(server: Server, models: dict[str, PackedModel]) -> None:
    for request_format in (PREDICT, INVOCATIONS):
        case = write_case(models[NAME].schema, read_golden(models[NAME]), request_format, 4)
        assert case.is_answered_by(send(server, case.path, case).content)
    case = write_case(models["price"].schema, read_golden(models["price"]), INVOCATIONS, 1)
    assert send(server, "/invocations", case, **{TARGET_MODEL: "nowhere"}).status_code == 404


def test_rows_of_one_model_are_no_rows_of_another(server: Server, models: dict[str, PackedModel]) -> None:
    case = write_case(models["price"].schema, read_golden(models["price"]), PREDICT, 1)
    answered = send(server, "/predict/stars", case)
    assert answered.status_code == 200  # the same features
    assert answered.json()["model"] == "stars"
    answered = send(server, f"/predict/{NAME}", case)
    assert (answered.status_code, answered.json()["problems"][0]["row"]) == (400, 0)


def test_lists_and_pages_show_all_models(server: Server) -> None:
    assert HTTP.get(f"{server.url}/v2/models").json() == {"models": list(MODELS)}
    assert [one["modelName"] for one in HTTP.get(f"{server.url}/models").json()["models"]] == list(MODELS)
    index = HTTP.post(f"{server.url}/v2/repository/index").json()
    assert [(one["name"], one["state"]) for one in index] == [
        *((name, "READY") for name in MODELS),
        ("fr", "UNAVAILABLE"),
    ]
    document = HTTP.get(f"{server.url}/docs.json").json()
    assert (document["info"]["title"], document["info"]["version"]) == (NAME, "1")
    for name in MODELS[1:]:
        assert f"[{name}](docs/{name}.html)" in document["info"]["description"]
        page = HTTP.get(f"{server.url}/docs/{name}.html")
        assert page.status_code == 200
        own = HTTP.get(f"{server.url}/docs/{name}.json").json()
        assert own["info"]["title"] == name
        assert "/predict/{model}" in own["paths"]
        assert all("{model}" in path for path in own["paths"])
    assert list(own["components"]["schemas"]["Row"]["properties"]) == list(
        document["components"]["schemas"]["Row"]["properties"]
    )
    other = HTTP.get(f"{server.url}/docs/stars.json").json()["components"]["schemas"]
    assert list(other["Row"]["properties"])[1:] == ["floor", "sold at"]
    assert HTTP.get(f"{server.url}/docs/nowhere.json").status_code == 404


def test_each_model_has_its_own_log(server: Server, models: dict[str, PackedModel]) -> None:
    case = write_case(models["stars"].schema, read_golden(models["stars"]), PREDICT, 1)
    prediction_id = send(server, "/predict/stars", case).headers["x-prediction-id"]
    label = {"id": prediction_id, "label": 3}
    assert HTTP.post(f"{server.url}/feedback/stars", json=label).json()["added"] == 1
    assert list((server.log.parent / "log" / "stars").glob("labels-*.parquet"))
    assert not list((server.log.parent / "log").glob("labels-*.parquet"))
    assert "expected one of false, true" in HTTP.post(f"{server.url}/feedback", json=label).json()["error"]
    request = message("ekiben.v1.FeedbackRequest")
    response = message("ekiben.v1.FeedbackResponse")
    with grpc.insecure_channel(server.grpc) as channel:
        ask = channel.unary_unary("/ekiben.v1.Feedback/Send", request.SerializeToString, response.FromString)
        answer = ask(request(model="stars", labels=[{"id": prediction_id, "integer": 3}]), timeout=PATIENCE_S)
        assert (answer.added, answer.known) == (0, 1)
        with pytest.raises(grpc.RpcError, match="not served here"):
            ask(request(model="nowhere"), timeout=PATIENCE_S)


def test_each_model_has_its_own_monitoring(server: Server, models: dict[str, PackedModel]) -> None:
    for name, rows in (("de_east", 30), ("de_west", 20)):
        before = HTTP.get(f"{server.url}/monitoring/models/{name}").json()
        case = write_case(models[name].schema, read_golden(models[name]), PREDICT, rows)
        assert send(server, f"/predict/{name}", case).status_code == 200
        after = HTTP.get(f"{server.url}/monitoring/models/{name}").json()
        assert after["model"] == name
        assert count_rows(after) - count_rows(before) == rows
    assert HTTP.get(f"{server.url}/monitoring").json()["model"] == NAME
    for part in ("/minutes", "/hours", "/days", "/alarms", "/reference", "/page"):
        assert HTTP.get(f"{server.url}/monitoring/models/de_east{part}").status_code == 200
    assert HTTP.get(f"{server.url}/monitoring/models/stars").status_code == 404  # packed without a reference
    assert "not served" in HTTP.get(f"{server.url}/monitoring/models/nowhere").json()["error"]
    described = json.loads(
        run("-m", "ekiben.commands", "drift", f"{server.url}/monitoring/models/de_east", "--format", "json").stdout
    )
    assert described["rows"] >= 30


def count_rows(snapshot: dict[str, Any]) -> int:
    return sum(window["rows"] for window in snapshot["windows"])


def test_prometheus_can_tell_the_models_apart(server: Server, models: dict[str, PackedModel]) -> None:
    for name in MODELS:
        case = write_case(models[name].schema, read_golden(models[name]), PREDICT, 8)
        assert send(server, f"/predict/{name}", case).status_code == 200
    wait_until(lambda: all(server.metric(f'ekiben_model_rows_total{{model="{name}"}}') for name in MODELS))
    text = HTTP.get(f"{server.url}/metrics").text
    families = list(text_string_to_metric_families(text))
    names = [family.name for family in families]
    assert len(names) == len(set(names)) == text.count("# TYPE ")
    labelled = {family.name: {one.labels.get("model") for one in family.samples} for family in families}
    for family in (
        "ekiben_model_info",
        "ekiben_model_rows",
        "ekiben_model_requests",
        "ekiben_model_request_seconds",
        "ekiben_model_compute_seconds",
    ):
        assert labelled[family] == set(MODELS), family
    for family in ("ekiben_monitoring_rows", "ekiben_monitoring_drift", "ekiben_monitoring_alarms"):
        assert labelled[family] == {NAME, "de_east", "de_west"}, family


def test_statistics_are_of_each_model(server: Server, models: dict[str, PackedModel]) -> None:
    def read(name: str) -> Any:
        (statistics,) = HTTP.get(f"{server.url}/v2/models/{name}/stats").json()["model_stats"]
        return statistics

    before = {name: read(name) for name in MODELS}
    case = write_case(models["price"].schema, read_golden(models["price"]), PREDICT, 8)
    assert send(server, "/predict/price", case).status_code == 200
    after = {name: read(name) for name in MODELS}
    assert after["price"]["inference_count"] == before["price"]["inference_count"] + 8
    assert after["price"]["inference_stats"]["queue"]["count"] > before["price"]["inference_stats"]["queue"]["count"]
    del before["price"], after["price"]
    assert after == before


@pytest.mark.parametrize(
    ("names", "digests", "sentence"),
    [
        ("stars,nowhere", "", "there is no model `nowhere` in the BentoML store"),
        ("it_*", "", "no model in the BentoML store fits MODEL_NAME='it_*': it has de_east, de_west, flight_delay, fr"),
        ("stars,,price", "", "holds an empty name"),
        ("stars,price", "ba5e", "MODEL_DIGEST holds 1 digests for 2 models (stars, price)"),
        ("stars,price", "ba5e,ba5e", "but MODEL_DIGEST=ba5e"),
    ],
)
def test_what_is_named_wrong_is_said(many_models: Path, names: str, digests: str, sentence: str) -> None:
    with using_stores(many_models.parent), pytest.raises(InvalidModel) as raised:
        open_models(names, digests)
    assert sentence in str(raised.value)


def test_a_wrong_name_keeps_the_service_from_starting(many_models: Path) -> None:
    failed = run("-m", "bentoml", "serve", fails=True, BENTOML_HOME=str(many_models), MODEL_NAME="stars,it_*")
    assert "no model in the BentoML store fits MODEL_NAME='it_*'" in failed.stdout + failed.stderr


def test_names_may_overlap(many_models: Path) -> None:
    with using_stores(many_models.parent):
        assert [model.name for model in open_models("de_west, de_*,fr,de_west")] == ["de_west", "de_east", "fr"]
