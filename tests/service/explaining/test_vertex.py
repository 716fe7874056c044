"""Vertex AI's form of explanations, on the path beside the one that it chose for predictions."""

import json
from pathlib import Path
from typing import Any

import pytest

from ekiben.load_tests.cost.request_cost import open_routes, post
from ekiben.load_tests.requests.http_dialects import PREDICT
from ekiben.load_tests.requests.request_case import RequestCase
from ekiben.service.dataplane import Dataplane
from ekiben.service.settings import Settings
from tests.every_kind import SCHEMA
from tests.service.explaining.explained_service import Engine, serve

PREDICT_PATH = "/v1/endpoints/1/deployedModels/2:predict"


def ask(path: str) -> RequestCase:
    body = json.dumps({"instances": [SCHEMA.example]}).encode()
    return RequestCase(PREDICT, path, {"Content-Type": "application/json"}, body, "", None)


@pytest.mark.parametrize(
    ("chosen", "path"), [(PREDICT_PATH, PREDICT_PATH.replace(":predict", ":explain")), ("/ask", "/ask:explain")]
)
def test_predictions_come_with_what_its_clients_read(
    chosen: str, path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIP_MODE", "PREDICTION")
    monkeypatch.setenv("AIP_PREDICT_ROUTE", chosen)

    async def scenario(dataplane: Dataplane, engine: Engine) -> None:
        router, _ = open_routes(Settings(), dataplane)
        predicted: Any = json.loads(await post(router, ask(chosen)))
        answered: Any = json.loads(await post(router, ask(path)))
        assert answered["predictions"] == predicted["predictions"]
        ((attribution,),) = [one["attributions"] for one in answered["explanations"]]
        assert set(attribution["featureAttributions"]) == set(SCHEMA.names)
        total = attribution["baselineOutputValue"] + sum(attribution["featureAttributions"].values())
        assert total == pytest.approx(attribution["instanceOutputValue"], abs=1e-9)
        assert attribution["approximationError"] > 0
        rejected: Any = json.loads(await post(router, ask(f"{path}?pairs=0")))
        assert "pairs: expected a whole number" in rejected["error"]

    serve(tmp_path, scenario)
