"""A multiclass model and a regression are served in their own shapes."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ekiben.model.package import GOLDEN_FILE
from tests.conftest import Server, serve
from tests.http_client import HTTP
from tests.packed_tasks import FEATURES, PRICE, ROW, STARS, store

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BentoML home of this module's own, with both models."""
    folder = tmp_path_factory.mktemp("tasks")
    store(folder, (STARS, PRICE))
    return folder


@pytest.fixture(scope="module")
def stars(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serve(tmp_path_factory.mktemp("stars"), BENTOML_HOME=str(home / "bentoml"), MODEL_NAME="stars") as server:
        yield server


@pytest.fixture(scope="module")
def price(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serve(tmp_path_factory.mktemp("price"), BENTOML_HOME=str(home / "bentoml"), MODEL_NAME="price") as server:
        yield server


def predict(server: Server, rows: Any) -> list[dict[str, Any]]:
    answer = HTTP.post(f"{server.url}/predict", json={"rows": rows})
    assert answer.status_code == 200, answer.text
    predictions: list[dict[str, Any]] = answer.json()["predictions"]
    return predictions


def read_golden(folder: Path) -> tuple[list[dict[str, Any]], np.ndarray]:
    golden = json.loads((folder / GOLDEN_FILE).read_text())
    return golden["rows"], np.array(golden["answers"], np.float32)


def describe(server: Server) -> dict[str, Any]:
    schemas: dict[str, Any] = HTTP.get(f"{server.url}/docs.json").json()["components"]["schemas"]
    return schemas


def test_a_multiclass_model_gives_the_likeliest_class_and_all_probabilities(stars: Server, home: Path) -> None:
    rows, answers = read_golden(home / "stars")
    predictions = predict(stars, rows)
    scores = np.array([list(prediction["probabilities"].values()) for prediction in predictions])
    np.testing.assert_allclose(scores, answers, atol=1e-5)
    assert set(map(tuple, (prediction["probabilities"] for prediction in predictions))) == {("1", "3", "5")}
    assert [p["probability"] for p in predictions] == scores.max(axis=1).tolist()
    assert [p["label"] for p in predictions] == [STARS.classes[index] for index in scores.argmax(axis=1)]


def test_a_regression_gives_a_value_between_its_bounds(price: Server, home: Path) -> None:
    rows, answers = read_golden(home / "price")
    predictions = predict(price, rows)
    assert {tuple(prediction) for prediction in predictions} == {("value", "low", "high")}
    given = np.array([list(prediction.values()) for prediction in predictions])
    np.testing.assert_allclose(given, answers, atol=1e-5 * PRICE.scale)
    assert (given[:, 1] <= given[:, 0]).all()
    assert (given[:, 0] <= given[:, 2]).all()


def test_the_page_describes_a_multiclass_prediction(stars: Server) -> None:
    fields = describe(stars)["Prediction"]["properties"]
    assert list(fields) == ["label", "probability", "probabilities"]
    assert fields["label"]["enum"] == [1, 3, 5]


def test_the_page_describes_a_regressions_prediction(price: Server) -> None:
    fields = describe(price)["Prediction"]["properties"]
    assert list(fields) == ["value", "low", "high"]
    assert "price [EUR]" in fields["value"]["description"]


def test_the_page_describes_whole_numbers_and_formats(price: Server) -> None:
    row = describe(price)["Row"]
    assert list(row["properties"]) == [feature.name for feature in FEATURES]
    assert row["properties"]["floor"]["type"] == ["integer", "string"]
    assert "%d.%m.%Y" in row["properties"]["sold at"]["description"]
    assert row["example"] == {feature.name: feature.example for feature in FEATURES}


def test_a_value_may_come_in_either_spelling(price: Server) -> None:
    (given, same) = predict(price, [ROW, ROW | {"floor": "2", "sold at": "2013-07-04"}])
    assert given == same


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"floor": 2.5}, "`floor`: expected a whole number or its digits as a string, got 2.5"),
        ({"floor": True}, "`floor`: expected a whole number or its digits as a string, got true"),
        ({"sold at": "07/04/2013"}, "`sold at`: expected a date as %d.%m.%Y, or an ISO 8601 date and time"),
        ({"متراژ (m²)": "80"}, "`متراژ (m²)`: expected a number, got '80'"),
    ],
)
def test_a_wrong_value_is_named(price: Server, change: dict[str, Any], problem: str) -> None:
    answer = HTTP.post(f"{price.url}/predict", json={"rows": [ROW, ROW | change]})
    assert answer.status_code == 400
    assert problem in answer.text
    assert "row 1" in answer.text
