"""Models come and go while a service answers: by Triton's calls, by SageMaker's, and as memory allows."""

import shutil
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import tritonclient.grpc as triton_grpc
import tritonclient.http as triton_http
from tritonclient.utils import InferenceServerException

from ekiben.load_tests.cost.request_cost import read_golden
from ekiben.load_tests.many.copies import copy_model, number
from ekiben.load_tests.requests.http_dialects import INVOCATIONS, PREDICT
from ekiben.load_tests.requests.request_case import write_case
from ekiben.model.package import PackedModel
from tests.conftest import NAME, PATIENCE_S, Server, serve, wait_until
from tests.http_client import HTTP

pytestmark = pytest.mark.slow

MAX_MODELS = 3
HASH = "5f2b0c9a-1"  # as SageMaker calls a model


BROKEN, GROWING = "broken", "growing"  # models that only one test touches


@pytest.fixture(scope="module")
def home(many_models: Path, model: PackedModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of this module's own."""
    home = Path(shutil.copytree(many_models, tmp_path_factory.mktemp("home") / "bentoml"))
    copy_model(model, home, (BROKEN, GROWING))
    return home


@pytest.fixture(scope="module")
def root(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where SageMaker unpacks archives: one of the flights' model, one that is damaged, one that holds none."""
    root = tmp_path_factory.mktemp("ml") / "ml"
    shutil.copytree(home / "models" / "de_east" / "1", root / HASH / "model")
    shutil.copytree(home / "models" / "de_east" / "1", root / "damaged")
    (root / "damaged" / "schema.json").write_text("{}")
    (root / "empty").mkdir()
    (root / "link").symlink_to(home)
    return root


@pytest.fixture(scope="module")
def running(home: Path, root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    environment = {"MODEL_NAME": NAME, "MAX_MODELS": str(MAX_MODELS), "MODELS_FOLDER": str(root)}
    with serve(tmp_path_factory.mktemp("server"), BENTOML_HOME=str(home), **environment) as server:
        yield server


@pytest.fixture
def server(running: Server) -> Iterator[Server]:
    """A service with the flights' model alone."""
    yield running
    for name in list_models(running)[1:]:
        HTTP.delete(f"{running.url}/models/{name}")


def post(server: Server, path: str, status: int = 200, body: Any = None) -> Any:
    answered = HTTP.post(server.url + path, json=body)
    assert answered.status_code == status, answered.text
    return answered.json()


def load(server: Server, name: str, status: int = 200) -> Any:
    return post(server, f"/v2/repository/models/{name}/load", status)


def unload(server: Server, name: str, status: int = 200) -> Any:
    return post(server, f"/v2/repository/models/{name}/unload", status)


def list_models(server: Server) -> list[str]:
    names: list[str] = HTTP.get(f"{server.url}/v2/models").json()["models"]
    return names


def ask(server: Server, model: PackedModel, name: str) -> int:
    case = write_case(model.schema, read_golden(model), PREDICT, 4)
    answered = HTTP.post(f"{server.url}/predict/{name}", content=case.body, headers=case.headers)
    if answered.status_code == 200:
        assert case.is_answered_by(answered.content)
        assert answered.json()["model"] == name
    return answered.status_code


@contextmanager
def asking(server: Server, model: PackedModel, name: str) -> Iterator[list[int]]:
    """Ask without a pause while other things happen; give the statuses of the answers."""
    statuses: list[int] = []
    going = True
    case = write_case(model.schema, read_golden(model), PREDICT, 4)

    def go_on() -> None:
        with httpx.Client(timeout=PATIENCE_S) as client:
            while going:
                answered = client.post(f"{server.url}/predict/{name}", content=case.body, headers=case.headers)
                assert answered.status_code != 200 or case.is_answered_by(answered.content)
                statuses.append(answered.status_code)

    thread = threading.Thread(target=go_on)
    thread.start()
    try:
        yield statuses
    finally:
        going = False
        thread.join()


def test_a_model_of_the_store_comes_and_goes(server: Server, model: PackedModel) -> None:
    assert ask(server, model, "fr") == 404
    assert load(server, "fr") == {"name": "fr", "version": "1", "state": "READY"}
    assert load(server, "fr")["state"] == "READY"  # once more changes nothing
    assert (ask(server, model, "fr"), list_models(server)) == (200, [NAME, "fr"])
    assert HTTP.get(f"{server.url}/docs/fr.json").json()["info"]["title"] == "fr"
    assert "[fr](docs/fr.html)" in HTTP.get(f"{server.url}/docs.json").json()["info"]["description"]
    assert unload(server, "fr") == {}
    assert (ask(server, model, "fr"), list_models(server)) == (404, [NAME])
    assert "docs/fr.html" not in HTTP.get(f"{server.url}/docs.json").text
    wait_until(lambda: server.metric('ekiben_model_rows_total{model="fr"}') == 4)
    assert 'model="fr"' not in "".join(
        line for line in HTTP.get(f"{server.url}/metrics").text.splitlines() if line.startswith("ekiben_monitoring_")
    )


def test_tritons_clients_load_and_unload_models(server: Server, model: PackedModel) -> None:
    with closing(triton_http.InferenceServerClient(server.url.removeprefix("http://"))) as client:
        client.load_model("de_east")
        assert client.is_model_ready("de_east")
    with closing(triton_grpc.InferenceServerClient(server.grpc)) as client:
        client.load_model("price")
        states = {one.name: one.state for one in client.get_model_repository_index().models}
        assert states == {NAME: "READY", "de_east": "READY", "price": "READY"} | dict.fromkeys(
            ("de_west", "fr", "stars", BROKEN, GROWING), "UNAVAILABLE"
        )
        client.unload_model("de_east")
        with pytest.raises(InferenceServerException, match="'de_east' is not served here"):
            client.is_model_ready("de_east")
        with pytest.raises(InferenceServerException, match="there is no model `nowhere`"):
            client.load_model("nowhere")
        with pytest.raises(InferenceServerException, match="answers here"):
            client.unload_model(NAME)


def test_the_first_model_stays(server: Server, model: PackedModel) -> None:
    load(server, "fr")
    unload(server, NAME, 409)
    assert HTTP.delete(f"{server.url}/models/{NAME}").status_code == 409
    assert ask(server, model, NAME) == 200


def test_what_was_asked_longest_ago_makes_room(server: Server, model: PackedModel) -> None:
    load(server, "de_east")
    load(server, "de_west")
    assert ask(server, model, "de_east") == 200
    load(server, "fr")  # there are MAX_MODELS
    assert list_models(server) == [NAME, "de_east", "fr"]
    assert ask(server, model, "fr") == ask(server, model, "de_east") == 200
    load(server, "de_west")
    assert list_models(server) == [NAME, "de_east", "de_west"]


def test_memory_bounds_models_too(home: Path, tmp_path: Path, model: PackedModel) -> None:
    with serve(tmp_path, BENTOML_HOME=str(home), MODEL_NAME=f"{NAME},de_*", MODELS_MIB="1") as server:
        sentence = load(server, "fr", 507)["error"]
        assert sentence.startswith("there is no room for 'fr': of 1 MiB for models besides the first ")
        assert list_models(server) == [NAME, "de_east", "de_west"]  # those that are named stay


def test_a_damaged_model_is_not_loaded(server: Server, home: Path, model: PackedModel) -> None:
    damaged = home / "models" / BROKEN / "1" / "model.tflite"
    damaged.unlink()
    damaged.write_bytes(b"no network")
    assert "is not the file that was packed" in load(server, BROKEN, 400)["error"]
    assert (list_models(server), ask(server, model, NAME)) == ([NAME], 200)


def test_models_come_and_go_under_load(server: Server, model: PackedModel) -> None:
    load(server, "fr")
    with asking(server, model, NAME) as first, asking(server, model, "fr") as second:
        for _ in range(5):
            load(server, "de_east")
            assert ask(server, model, "de_east") == 200
            unload(server, "de_east")
        unload(server, "fr")
        wait_until(lambda: 404 in second)
        load(server, "fr")
        count = len(second)
        wait_until(lambda: 200 in second[count:])
    assert set(first) == {200}  # whatever becomes of the others
    assert set(second) == {200, 404}
    assert second.index(404) > 0


def test_a_promoted_version_of_a_loaded_model_answers(server: Server, home: Path, model: PackedModel) -> None:
    load(server, GROWING)
    shutil.copytree(home / "models" / GROWING / "1", home / "models" / GROWING / "2")
    number(home / "models" / GROWING / "2", "2")
    (home / "models" / GROWING / "latest").write_text("2")
    wait_until(lambda: HTTP.get(f"{server.url}/v2/models/{GROWING}").json()["versions"] == ["2"])
    assert ask(server, model, GROWING) == 200


def test_sagemaker_loads_lists_calls_and_unloads(server: Server, root: Path, model: PackedModel) -> None:
    url = str(root / HASH / "model")
    described = {"modelName": HASH, "modelUrl": url}
    wanted = {"model_name": HASH, "url": url}
    assert HTTP.get(f"{server.url}/models/{HASH}").status_code == 404
    assert post(server, "/models", body=wanted) == described
    assert "is loaded already" in post(server, "/models", 409, wanted)["error"]
    assert HTTP.get(f"{server.url}/models/{HASH}").json() == described
    assert HTTP.get(f"{server.url}/models").json()["models"][1:] == [described]
    case = write_case(model.schema, read_golden(model), INVOCATIONS, 4)
    headers = case.headers | {"X-Amzn-SageMaker-Target-Model": "de_east.tar.gz"}
    answered = HTTP.post(f"{server.url}/models/{HASH}/invoke", content=case.body, headers=headers)
    assert case.is_answered_by(answered.content)
    assert ask(server, model, HASH) == 200  # in every other dialect it has this name too
    assert "was loaded from a folder" in load(server, HASH, 409)["error"]
    assert HTTP.delete(f"{server.url}/models/{HASH}").status_code == 200
    assert HTTP.delete(f"{server.url}/models/{HASH}").status_code == 404
    assert HTTP.post(f"{server.url}/models/{HASH}/invoke", content=case.body, headers=headers).status_code == 404


def test_sagemaker_is_told_to_unload_first(server: Server, root: Path) -> None:
    wanted = {"url": str(root / HASH / "model")}
    for name in ("one", "two"):
        post(server, "/models", body=wanted | {"model_name": name})
    sentence = post(server, "/models", 507, wanted | {"model_name": "three"})["error"]
    assert sentence.startswith("there is no room for 'three': MAX_MODELS=3 models are served; unload one first")
    assert HTTP.delete(f"{server.url}/models/one").status_code == 200
    post(server, "/models", body=wanted | {"model_name": "three"})


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ([], "expected an object such as"),
        ({"model_name": "a"}, "`url`: expected a string, got null"),
        ({"model_name": "a", "url": "/x", "urk": ""}, "`urk`: unknown field"),
        ({"model_name": "../a", "url": "/x"}, "`model_name`: expected letters"),
        ({"model_name": "a", "url": "/etc"}, "is no folder within MODELS_FOLDER"),
        ({"model_name": "a", "url": "{root}"}, "is no folder within MODELS_FOLDER"),
        ({"model_name": "a", "url": "{root}/../bentoml/models/fr/1"}, "is no folder within MODELS_FOLDER"),
        ({"model_name": "a", "url": "{root}/link"}, "is no folder within MODELS_FOLDER"),
        ({"model_name": "a", "url": "{root}/empty"}, "holds no manifest.json: pack the folder"),
        ({"model_name": "a", "url": "{root}/nowhere"}, "holds no manifest.json"),
        ({"model_name": "a", "url": "{root}/\0"}, "holds no manifest.json"),
        ({"model_name": "a", "url": "{root}/damaged"}, "is not the file that was packed"),
    ],
)
def test_what_sagemaker_asks_wrongly_is_said(server: Server, root: Path, body: Any, sentence: str) -> None:
    if isinstance(body, dict):
        body = {key: value.replace("{root}", str(root)) for key, value in body.items()}
    assert sentence in post(server, "/models", 400, body)["error"]
    assert list_models(server) == [NAME]


def test_models_are_listed_in_pages(model: PackedModel, tmp_path: Path) -> None:
    names = [f"m{index:03}" for index in range(101)]
    copy_model(model, tmp_path / "bentoml", names)
    with serve(tmp_path, BENTOML_HOME=str(tmp_path / "bentoml"), MODEL_NAME="m*") as server:
        first = HTTP.get(f"{server.url}/models").json()
        assert (len(first["models"]), first["nextPageToken"]) == (100, "100")
        last = HTTP.get(f"{server.url}/models?next_page_token={first['nextPageToken']}").json()
        assert [one["modelName"] for one in last["models"]] == ["m100"]
        assert "nextPageToken" not in last
        assert HTTP.get(f"{server.url}/models?next_page_token=x").status_code == 400
        assert "`m009`, 91 more are" in HTTP.get(f"{server.url}/models/nowhere").json()["error"]


def test_an_image_stays_with_its_models_but_for_sagemakers(home: Path, root: Path, tmp_path: Path) -> None:
    environment = {"RELOAD": "0", "SAGEMAKER_MULTI_MODEL": "true", "MODELS_FOLDER": str(root), "MODEL_NAME": NAME}
    with serve(tmp_path, BENTOML_HOME=str(home), **environment) as server:
        assert "RELOAD=1" in load(server, "fr", 409)["error"]
        post(server, "/models", body={"model_name": HASH, "url": str(root / HASH / "model")})
        unload(server, HASH, 409)
        assert HTTP.delete(f"{server.url}/models/{HASH}").status_code == 200
