"""A version's way to everyone and back: in the shadow, for half of the callers, for all, and then the one before."""

from pathlib import Path
from typing import Any

import pytest

from ekiben.model.package import PackedModel
from tests.conftest import NAME, serve, wait_until
from tests.http_client import HTTP
from tests.service.servings.under_load import UnderLoad, choose, compute_answers, read_rows

pytestmark = pytest.mark.slow

LOAD = f"/v2/repository/models/{NAME}/load"


def test_a_version_is_shadowed_tried_promoted_and_taken_back_under_load(
    versions: Path, model: PackedModel, tmp_path: Path
) -> None:
    rows = read_rows(model)
    wanted = compute_answers(versions, rows)
    with (
        serve(tmp_path, BENTOML_HOME=str(versions), CHALLENGER="2") as server,
        UnderLoad(server, model.schema, rows, wanted) as callers,
    ):

        def see(path: str) -> Any:
            return HTTP.get(server.url + path).json()

        def answered(version: str) -> int:
            return callers.versions[version]

        callers.wait_for("1")
        wait_until(lambda: see("/monitoring/challenger")["summary"]["compared"] > 0, server.log.read_text)
        assert answered("2") == 0  # what the challenger says goes to nobody

        tried = {"parameters": {"version": "2", "share": 0.5}}
        assert HTTP.post(server.url + LOAD, json=tried).status_code == 200
        wait_until(lambda: answered("2") > 20, server.log.read_text)
        before = answered("1")
        wait_until(lambda: answered("1") > before + 20, server.log.read_text)
        assert see("/monitoring/canary")["share"] == 0.5

        choose(versions, "2")
        wait_until(lambda: see(f"/v2/models/{NAME}")["versions"] == ["2"], server.log.read_text)
        choose(versions, "1")
        wait_until(lambda: see(f"/v2/models/{NAME}")["versions"] == ["1"], server.log.read_text)
        callers.wait_for("1")
    assert "Traceback" not in server.log.read_text()
