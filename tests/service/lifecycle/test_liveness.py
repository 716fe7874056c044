"""A busy service is alive: a probe that waits 5 s, as Kubernetes' does, gets its answer."""

import json
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from ekiben.model.package import PackedModel
from ekiben.service.settings import Settings
from tests.conftest import PATIENCE_S, Server

pytestmark = pytest.mark.slow
CALLERS, TIMEOUT_S = 8, 5
ANSWERED = {200, 429, 504}  # or said to be too many


def test_a_busy_service_is_alive(server: Server, model: PackedModel) -> None:
    few = {name: value for name, value in model.schema.example.items() if value is not None}
    settings = Settings()
    body = json.dumps({"rows": [few] * settings.max_request_rows}, separators=(",", ":")).encode()
    assert len(body) < settings.max_body_bytes

    def predict(_: int) -> int:
        headers = {"content-type": "application/json"}
        return httpx.post(f"{server.url}/predict", content=body, headers=headers, timeout=PATIENCE_S).status_code

    with ThreadPoolExecutor(CALLERS) as pool, httpx.Client(timeout=TIMEOUT_S) as probe:
        asked = [pool.submit(predict, index) for index in range(CALLERS)]
        probed = [probe.get(f"{server.url}/livez").status_code]
        while not all(one.done() for one in asked):
            probed.append(probe.get(f"{server.url}/livez").status_code)
    assert set(probed) == {200}
    assert {one.result() for one in asked} <= ANSWERED
