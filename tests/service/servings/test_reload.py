"""A version takes another's place while the service answers: nothing is lost, and each answer says who gave it."""

import json
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psutil
import pytest
import tritonclient.grpc as triton_grpc
import tritonclient.http as triton_http
from tritonclient.utils import InferenceServerException

from ekiben.model.package import GOLDEN_FILE, MANIFEST_FILE, PackedModel
from tests.conftest import NAME, PATIENCE_S, Server, serve, wait_until
from tests.http_client import HTTP
from tests.service.servings.repack import rename_feature, sign
from tests.service.servings.under_load import VERSION, Rows, UnderLoad, Wanted, choose, compute_answers, read_rows

pytestmark = pytest.mark.slow

LOAD = f"/v2/repository/models/{NAME}/load"
UNLOAD = f"/v2/repository/models/{NAME}/unload"


@pytest.fixture(scope="module")
def rows(model: PackedModel) -> Rows:
    return read_rows(model)


@pytest.fixture(scope="module")
def wanted(two_versions: Path, rows: Rows) -> Wanted:
    return compute_answers(two_versions / "bentoml", rows)


@pytest.fixture
def service(versions: Path, tmp_path: Path) -> Iterator[Server]:
    """A service of this test's own, with two versions in its store; the first answers."""
    with serve(tmp_path, BENTOML_HOME=str(versions)) as running:
        yield running


def load(server: Server, status: int = 200, **parameters: Any) -> Any:
    body = {"parameters": parameters} if parameters else None
    answered = HTTP.post(server.url + LOAD, json=body)
    assert answered.status_code == status, answered.text
    return answered.json()


def ask(server: Server, rows: Rows, path: str = "/predict") -> tuple[str, list[float]]:
    """Return the version that answered over HTTP, and what."""
    answered = HTTP.post(server.url + path, json={"rows": rows})
    assert answered.status_code == 200, answered.text
    content = answered.json()
    assert content["version"] == answered.headers[VERSION]
    return content["version"], [one["probability"] for one in content["predictions"]]


def test_a_promoted_version_answers_at_once_and_no_answer_is_lost(
    service: Server, versions: Path, model: PackedModel, rows: Rows, wanted: Wanted
) -> None:
    with UnderLoad(service, model.schema, rows, wanted) as load_on:
        load_on.wait_for("1")
        choose(versions, "2")
        load_on.wait_for("2")
        choose(versions, "1")  # what `ekiben rollback` does
        # Not only for an answer of version 1: one of before may come late.
        wait_until(lambda: service.metric('ekiben_model_reloads_total{result="served"}') == 2, service.log.read_text)
        load_on.wait_for("1")
    assert set(load_on.versions) == {"1", "2"}
    assert service.metric(f'ekiben_model_info{{engine="litert",model="{NAME}"') in (0, 1)


def test_tritons_clients_load_a_version_and_go_back(service: Server, rows: Rows, wanted: Wanted) -> None:
    loaded = load(service, version="2")
    assert (loaded["name"], loaded["version"], loaded["state"]) == (NAME, "2", "READY")
    version, answers = ask(service, rows)
    assert version == "2"
    np.testing.assert_allclose(answers, wanted["2"], atol=1e-5)
    with closing(triton_http.InferenceServerClient(service.url.removeprefix("http://"))) as client:
        client.load_model(NAME)  # the store's newest
    assert ask(service, rows)[0] == "1"
    with closing(triton_grpc.InferenceServerClient(service.grpc)) as client:
        client.load_model(NAME)
        assert [one.version for one in client.get_model_repository_index().models] == ["1"]
        assert client.get_model_metadata(NAME).versions == ["1"]
        with pytest.raises(InferenceServerException, match="version 1 of `flight_delay` answers here"):
            client.unload_model(NAME)


def test_a_hangup_loads_what_the_store_names(service: Server, versions: Path, rows: Rows) -> None:
    choose(versions, "2")
    service.process.send_signal(signal.SIGHUP)
    wait_until(lambda: ask(service, rows)[0] == "2", service.log.read_text)


def test_what_names_a_version_gets_it_or_hears_which_there_is(service: Server, rows: Rows) -> None:
    assert HTTP.get(f"{service.url}/v2/models/{NAME}/versions/1/ready").status_code == 200
    load(service, version="2")
    answered = HTTP.get(f"{service.url}/v2/models/{NAME}/versions/1/ready")
    assert answered.status_code == 404
    assert answered.json()["error"] == f"version '1' of `{NAME}` is not served here: 2 (champion) is"
    assert (
        HTTP.get(f"{service.url}/v1/models/{NAME}/labels/champion").json()["model_version_status"][0]["version"] == "2"
    )


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (lambda folder: (folder / "model.tflite").write_bytes(b"no network"), "is not the file that was packed"),
        (lambda folder: (folder / MANIFEST_FILE).unlink(), "is missing or damaged"),
        (lambda folder: (folder / "schema.json").unlink(), "schema.json"),
    ],
    ids=["another network", "no manifest", "no schema"],
)
def test_a_damaged_version_leaves_the_served_one(
    service: Server, versions: Path, rows: Rows, damage: Callable[[Path], None], sentence: str
) -> None:
    damage(versions / "models" / NAME / "2")
    answered = load(service, 400, version="2")
    assert sentence in answered["error"]
    assert ask(service, rows)[0] == "1"
    assert HTTP.get(f"{service.url}/readyz").status_code == 200
    assert service.metric('ekiben_model_reloads_total{result="failed"}') == 1


def test_a_store_that_is_gone_leaves_the_served_version(service: Server, versions: Path, rows: Rows) -> None:
    versions.rename(versions.with_name("elsewhere"))
    assert "there is no" in load(service, 400)["error"]
    assert ask(service, rows)[0] == "1"
    versions.with_name("elsewhere").rename(versions)
    choose(versions, "2")
    wait_until(lambda: ask(service, rows)[0] == "2", service.log.read_text)


def test_many_loads_at_once_take_turns(service: Server, rows: Rows) -> None:
    with ThreadPoolExecutor(8) as pool:
        loaded = list(pool.map(lambda turn: load(service, version=str(1 + turn % 2))["version"], range(8)))
    assert loaded == [str(1 + turn % 2) for turn in range(8)]
    assert ask(service, rows)[0] in loaded


def test_an_image_stays_with_its_model(versions: Path, tmp_path: Path, rows: Rows) -> None:
    with serve(tmp_path, BENTOML_HOME=str(versions), RELOAD="0") as server:
        assert "start it with RELOAD=1" in load(server, 409, version="2")["error"]
        server.process.send_signal(signal.SIGHUP)
        wait_until(lambda: "SIGHUP is ignored" in server.log.read_text(), server.log.read_text)
        choose(versions, "2")
        time.sleep(4)  # longer than the store is left alone
        assert ask(server, rows)[0] == "1"


def test_a_version_that_callers_cannot_call_is_refused_with_the_differences(
    versions: Path, tmp_path: Path, rows: Rows
) -> None:
    rename_feature(versions, "2", "carrier", "airline")
    with serve(tmp_path, BENTOML_HOME=str(versions)) as server:
        refused = load(server, 409, version="2")["error"]
        assert refused.startswith("version 2 does not take what callers of version 1 send: `airline` is required")
        assert "`carrier` is an unknown field, callers send it" in refused
        assert ask(server, rows)[0] == "1"
        assert load(server, version="2", force=True)["version"] == "2"
        assert HTTP.post(f"{server.url}/predict", json={"rows": rows}).status_code == 400
        page = HTTP.get(f"{server.url}/docs.json").json()
        assert "airline" in page["components"]["schemas"]["Row"]["properties"]
        load(server, version="1")  # going back is never refused
        assert ask(server, rows)[0] == "1"


def test_a_worker_in_the_place_of_a_dead_one_serves_what_the_others_do(
    versions: Path, tmp_path: Path, rows: Rows
) -> None:
    """The store's newest version is damaged: a worker that began with that one would not even start."""
    with serve(tmp_path, BENTOML_HOME=str(versions), WORKERS="2") as server:
        wait_until(lambda: server.log.read_text().count("is ready") == 2)
        (versions / "models" / NAME / "2" / "model.tflite").write_bytes(b"no network")
        choose(versions, "2")
        wait_until(lambda: server.log.read_text().count("version 1 serves on") == 2, server.log.read_text)
        psutil.Process(server.process.pid).children()[0].kill()
        wait_until(lambda: server.log.read_text().count("is ready") == 3, server.log.read_text)
        answers: dict[str, str] = {}  # by the process that an id names

        def have_both_answered() -> bool:
            answered = httpx.post(f"{server.url}/predict", json={"rows": rows}, timeout=PATIENCE_S)
            assert answered.status_code == 200, answered.text
            answers[answered.headers["x-prediction-id"][8:18]] = answered.headers[VERSION]
            return len(answers) == 2

        wait_until(have_both_answered, lambda: str(answers))
        assert set(answers.values()) == {"1"}


def test_a_version_with_other_golden_answers_is_refused(service: Server, versions: Path, rows: Rows) -> None:
    folder = versions / "models" / NAME / "2"
    golden = json.loads((folder / GOLDEN_FILE).read_text())
    golden["answers"][0][0] += 0.1
    (folder / GOLDEN_FILE).write_text(json.dumps(golden))
    sign(folder)
    assert "away from what it answered in training" in load(service, 400, version="2")["error"]
    assert ask(service, rows)[0] == "1"


def test_another_model_never_takes_a_models_place(versions: Path, tmp_path: Path, rows: Rows) -> None:
    path = versions / "models" / NAME / "1" / "schema.json"
    path.write_text(path.read_text().replace(f'"{NAME}"', '"another"'))
    sign(path.parent)
    choose(versions, "2")
    with serve(tmp_path, BENTOML_HOME=str(versions)) as server:
        for parameters in ({}, {"force": True}):  # it is older, too: which excuses all else
            refused = load(server, 409, version="1", **parameters)["error"]
            assert refused == f"version 1 is a model of `another`, not of `{NAME}`"
        assert ask(server, rows)[0] == "2"
        assert "Traceback" not in server.log.read_text()
