"""Explanations as callers of every protocol ask for them, from the running service."""

import json
from collections.abc import Callable
from functools import partial
from typing import Any

import grpc
import httpx
import numpy as np
import pytest
import tritonclient.grpc as triton_grpc
import tritonclient.http as triton_http

from ekiben.contract.explanation.explanation import Explanation
from ekiben.model.package import PackedModel
from ekiben.service.protocols.vertex import describe
from tests.callers import triton_inputs
from tests.conftest import NAME, Server, wait_until
from tests.http_client import HTTP

pytestmark = pytest.mark.slow
FEATURES = 20


@pytest.fixture
def row(model: PackedModel) -> dict[str, Any]:
    return dict(model.schema.example)


def post(server: Server, path: str, body: Any, **headers: str) -> httpx.Response:
    return HTTP.post(server.url + path, json=body, headers=headers)


def explain(server: Server, rows: Any, path: str = "/explain", **headers: str) -> Any:
    answered = post(server, path, {"rows": rows}, **headers)
    assert answered.status_code == 200, answered.text
    return answered.json()


def test_each_row_gets_its_prediction_and_what_adds_up_to_it(server: Server, row: dict[str, Any]) -> None:
    rows = [row, {**row, "distance": 300}]
    answered = explain(server, rows)
    predicted = post(server, "/predict", {"rows": rows}).json()
    assert [one["prediction"] for one in answered["explanations"]] == predicted["predictions"]
    assert (answered["model"], answered["version"], answered["warnings"]) == (NAME, "1", [])
    for one in answered["explanations"]:
        values = [attribution["value"] for attribution in one["attributions"]]
        assert len(values) == FEATURES
        assert values == sorted(values, key=abs, reverse=True)
        assert (one["unit"], one["rest"], one["pairs"]) == ("log-odds", 0, 10)
        assert one["base_value"] + sum(values) == pytest.approx(one["output_value"], abs=1e-9)
        likely = one["prediction"]["probability"]
        assert one["output_value"] == pytest.approx(np.log(likely / (1 - likely)), abs=1e-4)
        assert all(attribution["standard_error"] >= 0 for attribution in one["attributions"])
    assert explain(server, rows) == answered  # whichever replica is asked


def test_the_largest_are_named_and_the_others_summed_up(server: Server, row: dict[str, Any]) -> None:
    (whole,) = explain(server, row)["explanations"]
    (short,) = explain(server, row, f"/explain/{NAME}?top=3")["explanations"]
    assert short["attributions"] == whole["attributions"][:3]
    assert short["rest"] == pytest.approx(sum(one["value"] for one in whole["attributions"][3:]))
    (many,) = explain(server, row, "/explain?top=1000")["explanations"]
    assert many == whole


def test_who_asks_for_more_pairs_gets_smaller_errors(server: Server, row: dict[str, Any]) -> None:
    def largest_error(path: str) -> tuple[int, float]:
        (one,) = explain(server, row, path)["explanations"]
        return one["pairs"], max(attribution["standard_error"] for attribution in one["attributions"])

    (few, large), (more, small) = largest_error("/explain"), largest_error("/explain?pairs=100")
    assert (few, more > few or small == large, small <= large) == (10, True, True)


def test_an_unseen_category_is_a_warning(server: Server, row: dict[str, Any]) -> None:
    answered = explain(server, {**row, "dest": "XYZ"})
    assert answered["warnings"] == ["row 0: `dest`: 'XYZ' was not seen in training"]
    assert len(answered["explanations"]) == 1


@pytest.mark.parametrize(
    ("path", "body", "headers", "status", "sentence"),
    [
        ("/explain", {"rows": []}, {}, 400, "at least one row"),
        ("/explain", {"rows": [{}]}, {}, 400, "missing"),
        ("/explain", {"row": []}, {}, 400, "did you mean `rows`?"),
        ("/explain", b"{", {}, 400, "not valid JSON"),
        ("/explain", b"{}", {"content-type": "text/csv"}, 415, "send application/json"),
        ("/explain?top=0", {"rows": []}, {}, 400, "top: expected a whole number above 0, got '0'"),
        ("/explain?top=x", {"rows": []}, {}, 400, "top: expected a whole number above 0, got 'x'"),
        ("/explain?top=-1", {"rows": []}, {}, 400, "top: expected a whole number above 0"),
        ("/explain?top=", {"rows": []}, {}, 400, "top: expected a whole number above 0"),
        ("/explain?pairs=9", {"rows": []}, {}, 400, "pairs: expected a whole number from 10 to 100, got '9'"),
        ("/explain?pairs=many", {"rows": []}, {}, 400, "pairs: expected a whole number from 10 to 100"),
        ("/explain", {"rows": [{}] * 20_000}, {}, 413, "20000 rows are more than"),
        ("/explain", {"rows": [{}] * 1000}, {}, 413, "send them in several requests"),
        ("/explain/other", {"rows": []}, {}, 404, "model 'other' is not served here"),
        (f"/v1/models/{NAME}:explain", {"instances": []}, {}, 400, "at least one row"),
        (f"/v1/models/{NAME}:explain?top=0", {"instances": []}, {}, 400, "top: expected"),
        (f"/v1/models/{NAME}/versions/9:explain", {"instances": []}, {}, 404, "version '9'"),
        (f"/v2/models/{NAME}/infer", {"parameters": {"explain": 1}, "inputs": []}, {}, 400, "expected"),
    ],
)
def test_a_wrong_request_is_rejected_in_one_sentence(
    server: Server, path: str, body: Any, headers: dict[str, str], status: int, sentence: str
) -> None:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    rejected = HTTP.post(server.url + path, content=content, headers={"content-type": "application/json"} | headers)
    error = rejected.json()["error"]
    assert (rejected.status_code, sentence in error, "\n" in error) == (status, True, False), error


def test_a_number_that_is_none_is_rejected_as_by_predict(server: Server, row: dict[str, Any]) -> None:
    body = json.dumps({"rows": [{**row, "distance": float("nan")}]}).encode()
    rejected, predicted = (
        HTTP.post(server.url + path, content=body, headers={"content-type": "application/json"})
        for path in ("/explain", "/predict")
    )
    assert rejected.status_code == 400
    assert rejected.json() == predicted.json()


def test_a_deadline_that_can_not_be_kept_is_rejected(server: Server, row: dict[str, Any]) -> None:
    late = post(server, "/explain", {"rows": [row]}, **{"x-request-timeout-ms": "1"})
    assert (late.status_code, "deadline" in late.json()["error"]) == (504, True)


def test_kserve_v1_gets_predictions_beside_explanations(server: Server, row: dict[str, Any]) -> None:
    body = {"instances": [row, row]}
    answered = post(server, f"/v1/models/{NAME}:explain?top=2", body).json()
    assert answered["predictions"] == post(server, f"/v1/models/{NAME}:predict", body).json()["predictions"]
    assert answered["explanations"] == explain(server, [row, row], "/explain?top=2")["explanations"]
    assert post(server, f"/v1/models/{NAME}/labels/champion:explain", body).status_code == 200


def ask_triton(server: Server, model: PackedModel, row: dict[str, Any], over: Any, **options: Any) -> Any:
    inputs = triton_inputs(over, model.schema, [row, row])
    address = server.grpc if over is triton_grpc else server.url.removeprefix("http://")
    with over.InferenceServerClient(address) as client:
        return client.infer(NAME, inputs, **options)


@pytest.mark.parametrize("over", [triton_http, triton_grpc], ids=["http", "grpc"])
def test_tritons_clients_get_tensors(server: Server, model: PackedModel, row: dict[str, Any], over: Any) -> None:
    ask = partial(ask_triton, server, model, row, over)
    answered = ask(parameters={"explain": True})
    (one, _) = explain(server, [row, row])["explanations"]
    values = {attribution["feature"]: attribution["value"] for attribution in one["attributions"]}
    errors = {attribution["feature"]: attribution["standard_error"] for attribution in one["attributions"]}
    names = list(model.schema.names)
    for name, wanted in (("attributions", values), ("standard_errors", errors)):
        given = answered.as_numpy(name)
        assert (given.shape, given.dtype) == ((2, FEATURES), np.float64)
        assert given[1].tolist() == [wanted[feature] for feature in names]
    assert answered.as_numpy("base_values").ravel().tolist() == [one["base_value"]] * 2
    assert answered.as_numpy("probability").ravel()[0] == np.float32(one["prediction"]["probability"])
    assert read_parameters(over, answered, "attributions") == {"features": names, "unit": "log-odds"}
    alone = ask(parameters={"explain": True}, outputs=[over.InferRequestedOutput("base_values")])
    assert alone.as_numpy("attributions") is None
    assert alone.as_numpy("base_values") is not None


def read_parameters(over: Any, answered: Any, name: str) -> dict[str, Any]:
    parameters = (
        answered.get_output(name)["parameters"] if over is triton_http else answered.get_output(name).parameters
    )
    read: Callable[[str], str] = lambda key: (  # noqa: E731
        parameters[key] if over is triton_http else parameters[key].string_param
    )
    return {"features": json.loads(read("features")), "unit": read("unit")}


@pytest.mark.parametrize("over", [triton_http, triton_grpc], ids=["http", "grpc"])
@pytest.mark.parametrize(
    ("parameters", "timeout_us", "sentence"),
    [
        ({"explain": "yes"}, None, "parameter `explain`: expected true or false"),
        ({"explain": True, "pairs": 9}, None, "pairs: expected a whole number from 10 to 100"),
        ({"explain": True}, 100, "deadline"),
    ],
)
def test_tritons_clients_hear_what_is_wrong(
    server: Server, model: PackedModel, row: dict[str, Any], over: Any, parameters: Any, timeout_us: Any, sentence: str
) -> None:
    with pytest.raises(Exception, match=sentence):
        ask_triton(server, model, row, over, parameters=parameters, timeout=timeout_us)


def test_tensors_in_json_carry_the_same(server: Server, model: PackedModel, row: dict[str, Any]) -> None:
    matrix = {
        "name": "rows",
        "shape": [1, FEATURES],
        "datatype": "BYTES",
        "data": [[row[n] for n in model.schema.names]],
    }
    body = {"inputs": [matrix], "parameters": {"explain": True}}
    for path in (f"/v2/models/{NAME}/infer", "/invocations"):
        outputs = {one["name"]: one for one in post(server, path, body).json()["outputs"]}
        assert list(outputs) == ["probability", "label", "attributions", "standard_errors", "base_values"]
        assert (outputs["attributions"]["datatype"], outputs["attributions"]["shape"]) == ("FP64", [1, FEATURES])
    metadata = HTTP.get(f"{server.url}/v2/models/{NAME}").json()
    assert metadata["properties"]["explanation_outputs"] == "attributions,standard_errors,base_values"
    assert "explanations" in HTTP.get(f"{server.url}/v2").json()["extensions"]
    without = post(server, f"/v2/models/{NAME}/infer", {"inputs": [matrix], "outputs": [{"name": "attributions"}]})
    assert (without.status_code, "set the parameter `explain`" in without.json()["error"]) == (400, True)


def test_explanations_are_counted_apart(server: Server, row: dict[str, Any]) -> None:
    def count(name: str) -> float:
        return server.metric(f'{name}{{model="{NAME}"')

    before = count("ekiben_explanation_rows_total"), count("ekiben_explanation_pairs_total")
    explain(server, [row] * 3)
    wait_until(lambda: count("ekiben_explanation_rows_total") >= before[0] + 3)
    assert count("ekiben_explanation_pairs_total") >= before[1] + 30


def test_the_document_describes_them(server: Server) -> None:
    paths = HTTP.get(f"{server.url}/docs.json").json()["paths"]
    assert {"/explain", "/explain/{model}"} <= set(paths)


def test_vertex_ai_reads_its_own_form(model: PackedModel) -> None:
    values = np.linspace(-1, 1, FEATURES)
    described = describe(model.schema, Explanation(0.5, 0.5, values, np.full(FEATURES, 0.1), 10))
    assert described["featureAttributions"] == dict(zip(model.schema.names, values.tolist(), strict=True))
    assert described["approximationError"] == pytest.approx(0.1)
    assert (described["baselineOutputValue"], described["instanceOutputValue"]) == (0.5, 0.5)
    assert described["outputDisplayName"] == "True"


def test_grpc_names_the_reason(server: Server, model: PackedModel, row: dict[str, Any]) -> None:
    with pytest.raises(triton_grpc.InferenceServerException) as caught:
        ask_triton(server, model, row, triton_grpc, parameters={"explain": True, "pairs": 1000})
    assert caught.value.status() == str(grpc.StatusCode.INVALID_ARGUMENT)
