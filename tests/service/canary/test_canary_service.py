"""A canary on a running service, over HTTP and gRPC: callers stay with their version, and an evil one steps back."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pandas as pd
import pytest
import tritonclient.grpc as triton

from ekiben.commands.__main__ import main
from ekiben.contract.encoding import Encoder
from ekiben.contract.feature import Category, Feature, Number
from ekiben.contract.schema import Schema, Target
from ekiben.model.integrity import digest_file
from ekiben.model.package import MANIFEST_FILE, open_model
from ekiben.service.canary.choosing import Canary
from ekiben.training.network.raw_inputs import build_raw_model
from ekiben.training.registry.packaging import choose_golden, predict_encoded, write_golden, write_package
from ekiben.training.registry.storing import store_package
from ekiben.training.tables.json_rows import to_rows
from tests.conftest import PATIENCE_S, Server, serve, using_stores, wait_until
from tests.http_client import HTTP
from tests.untrained_network import build_network

pytestmark = pytest.mark.slow

FEATURES: tuple[Feature, ...] = (
    Number(name="x", low=-9, high=9, example=1),
    Category(name="c", vocabulary=("a", "b"), example="a"),
)
SCHEMA = Schema(name="tries", features=FEATURES, target=Target(name="y", classes=(False, True)))
SHIFTS = {"2": 0.0, "3": 0.05, "4": 4.0}  # of each version's logits
ROW = {"x": 1.0, "c": "a"}
LOAD = "/v2/repository/models/tries/load"
CALLERS = [f"caller {number}" for number in range(60)]
DRAWN = np.random.default_rng(1)
Ask = Callable[[Server, str, float], tuple[str, float]]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BentoML home with a champion, a candidate that is nearly the same, and an evil one."""
    folder = tmp_path_factory.mktemp("tries")
    drawn = np.random.default_rng(0)
    table = pd.DataFrame(
        {"x": drawn.uniform(-9, 9, 50).astype("f4"), "c": pd.Categorical(drawn.choice(["a", "b"], 50))}
    )
    with using_stores(folder):
        for version, shift in SHIFTS.items():
            network, packed = build_network(SCHEMA), folder / version
            packed.mkdir()
            bias = [weights for weights in network.weights if weights.shape == (1,)][-1]
            bias.assign(bias + shift)
            write_package(packed, SCHEMA, network, build_raw_model(SCHEMA, network))
            indices = choose_golden(SCHEMA, table)
            rows = to_rows(SCHEMA, table.iloc[indices])
            write_golden(packed, rows, predict_encoded(network, Encoder(SCHEMA).encode(table))[indices])
            store_package(packed, version, {"run_id": "made"})
    (folder / "bentoml/models/tries/latest").write_text("2")
    return folder / "bentoml"


def compute(home: Path, version: str, numbers: list[float]) -> Any:
    """Return what a version's engine says, alone and without a service."""
    folder = home / "models" / "tries" / version
    engine = open_model(folder, digest_file(folder / MANIFEST_FILE)).start_engine()
    return engine.run(Encoder(SCHEMA).encode_rows([{"x": x, "c": "a"} for x in numbers]))[:, 0]


@pytest.fixture(scope="module")
def server(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("canary")
    with serve(folder, BENTOML_HOME=str(home), WORKERS="2", LOG_FOLDER=str(folder / "log")) as server:
        yield server
        assert "Traceback" not in server.log.read_text()


def ask_http(server: Server, key: str, x: float) -> tuple[str, float]:
    answered = HTTP.post(
        f"{server.url}/predict", json={"rows": [{"x": x, "c": "a"}]}, headers={"x-canary-key": key} if key else {}
    )
    assert answered.status_code == 200, answered.text
    content = answered.json()
    assert content["version"] == answered.headers["x-model-version"]
    return content["version"], content["predictions"][0]["probability"]


def ask_grpc(server: Server, key: str, x: float) -> tuple[str, float]:
    inputs = [triton.InferInput("x", [1, 1], "FP32"), triton.InferInput("c", [1, 1], "BYTES")]
    inputs[0].set_data_from_numpy(np.array([[x]], np.float32))
    inputs[1].set_data_from_numpy(np.array([[b"a"]], np.object_))
    with triton.InferenceServerClient(server.grpc) as client:
        answered = client.infer("tries", inputs, headers={"x-canary-key": key} if key else None)
        return answered.get_response().model_version, float(answered.as_numpy("probability").ravel()[0])


def load(server: Server, status: int = 200, **parameters: Any) -> Any:
    answered = HTTP.post(server.url + LOAD, json={"parameters": parameters})
    assert answered.status_code == status, answered.text
    return answered.json()


def read_state(server: Server) -> Any:
    return HTTP.get(f"{server.url}/monitoring/canary").json()


def settle(server: Server, version: str, share: float) -> None:
    """Wait until each worker does what was said: it gives all callers the version that is theirs."""
    canary = Canary("2", version, share, b"tries")
    wanted = [version if canary.choose(key.encode()) else "2" for key in CALLERS]
    settled: set[str] = set()  # processes, which ids name

    def have_settled() -> bool:
        with httpx.Client() as client:  # one connection, so one worker
            answers = [
                client.post(f"{server.url}/predict", json={"rows": [ROW]}, headers={"x-canary-key": key})
                for key in CALLERS
            ]
        if [one.headers.get("x-model-version") for one in answers] == wanted:
            settled.update(one.headers["x-prediction-id"][8:18] for one in answers)
        return len(settled) == 2

    wait_until(have_settled, server.log.read_text)


@pytest.fixture
def champion(server: Server) -> Iterator[Server]:
    """The service with version 2 for everyone, before and after."""
    load(server, version="2")
    settle(server, "2", 1.0)
    yield server
    load(server, version="2")


@pytest.mark.parametrize("ask", [ask_http, ask_grpc])
def test_callers_stay_with_their_version_as_the_share_grows(home: Path, champion: Server, ask: Ask) -> None:
    load(champion, version="3", share=0.5)
    settle(champion, "3", 0.5)
    numbers = DRAWN.uniform(-9, 9, len(CALLERS)).astype(np.float32).tolist()
    wanted = {version: compute(home, version, numbers) for version in ("2", "3")}
    assert np.abs(wanted["2"] - wanted["3"]).min() > 1e-3
    rounds = [[ask(champion, key, x) for key, x in zip(CALLERS, numbers, strict=True)] for _ in range(2)]
    first, second = [[version for version, _ in answers] for answers in rounds]
    assert first == second
    assert 15 < first.count("3") < 45
    for index, (version, answer) in enumerate(rounds[0]):
        assert answer == pytest.approx(wanted[version][index], abs=1e-5)
    load(champion, version="3", share=0.7)
    settle(champion, "3", 0.7)
    grown = [ask(champion, key, x)[0] for key, x in zip(CALLERS, numbers, strict=True)]
    assert all(new == "3" for old, new in zip(first, grown, strict=True) if old == "3")


def test_who_has_no_key_gets_either(champion: Server) -> None:
    load(champion, version="3", share=0.5)
    settle(champion, "3", 0.5)
    assert {ask(champion, "", float(DRAWN.uniform(-9, 9)))[0] for ask in (ask_http, ask_grpc) for _ in range(30)} == {
        "2",
        "3",
    }


def test_an_evil_candidate_steps_back_in_every_worker_and_says_why(
    champion: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["canary", champion.url, "--version", "4", "--steps", "50,100", "--every", "2m"]
    walking = ThreadPoolExecutor(1).submit(main, command)
    heard: list[Any] = []  # by the worker that is asked

    def has_stepped_back() -> bool:
        for x in DRAWN.uniform(-9, 9, 50):
            ask_http(champion, f"caller {DRAWN.integers(10_000)}", float(x))
        heard.append(read_state(champion))
        return bool(heard[-1]["status"] == "stepped back")

    wait_until(has_stepped_back, lambda: str(heard), within_s=120)
    state = heard[-1]
    assert (state["share"], state["guardrail"]) == (0.0, "answers"), state
    assert state["step_backs"]["answers"] == 1
    assert state["reason"].startswith("answers: the answers of version 4 and version 2 are ")
    assert "version 4 gave its 50% of the callers back to version 2" in state["reason"]
    assert walking.result(timeout=PATIENCE_S) == 3
    assert state["reason"] in capsys.readouterr().out
    settle(champion, "4", 0.0)
    step_backs = 'ekiben_canary_step_backs_total{guardrail="answers",model="tries"}'
    wait_until(lambda: champion.metric(step_backs) == 1)  # what is shown may be a second old
    wait_until(lambda: champion.metric('ekiben_canary_share{model="tries"}') == 0)
    page = HTTP.get(f"{champion.url}/monitoring/canary/page").text
    assert "stepped back, " in page
    assert "PSI" in page


def test_labels_count_for_the_version_that_answered(champion: Server) -> None:
    load(champion, version="3", share=0.5)
    settle(champion, "3", 0.5)

    def has_labels() -> bool:
        ids = []
        for key in CALLERS[:20]:
            answered = HTTP.post(f"{champion.url}/predict", json={"rows": [ROW]}, headers={"x-canary-key": key})
            ids.append(answered.headers["x-prediction-id"])
        told = HTTP.post(f"{champion.url}/feedback", json=[{"id": one, "label": True} for one in ids])
        assert told.status_code == 200, told.text
        state = read_state(champion)
        losses = [one for one in state.get("guardrails", []) if one["name"] == "loss"]
        return bool(losses) and not losses[0].get("waits for", "").endswith("there are 0")

    wait_until(has_labels, lambda: str(read_state(champion)))


def test_everyone_and_back_is_one_call_each(champion: Server) -> None:
    assert load(champion, version="3") == {"name": "tries", "version": "3", "state": "READY"}
    settle(champion, "3", 1.0)
    load(champion, version="2", share=1)
    settle(champion, "2", 1.0)


REFUSED: list[tuple[dict[str, Any], int, str]] = [
    ({"version": "3", "share": 1.5}, 400, "`share`: expected a number from 0 (nobody) to 1 (everyone), got 1.5"),
    ({"version": "3", "share": True}, 400, "`share`: expected a number from 0 (nobody) to 1 (everyone), got true"),
    ({"version": "3", "share": 10**400}, 400, "expected a number from 0 (nobody) to 1 (everyone), got a huge integer"),
    ({"share": 0.5}, 400, "parameters.share: name the version that answers so many, as parameters.version"),
    ({"version": "9", "share": 0.5}, 404, "there is no version 9 of `tries` in the BentoML store"),
    ({"version": "2", "share": 0.5}, 409, "version 2 answers everyone already"),
]


def test_what_can_not_begin_is_said(champion: Server) -> None:
    for parameters, status, sentence in REFUSED:
        assert sentence in load(champion, status, **parameters)["error"]
    wait_until(lambda: bool(read_state(champion)["status"] == "promoted"))  # of a worker that hears it later, too


def test_share_0_unload_and_the_command_stop_it(champion: Server) -> None:
    for stop in (
        lambda: load(champion, share=0)["version"] != "2",
        lambda: unload(champion, version="3"),
        lambda: main(["canary", champion.url, "--stop"]),
    ):
        load(champion, version="3", share=0.5)
        settle(champion, "3", 0.5)
        assert not stop()  # the command's exit code
        settle(champion, "3", 0.0)
        assert read_state(champion)["reason"] == "stopped by a person"


def unload(server: Server, **parameters: Any) -> None:
    answered = HTTP.post(f"{server.url}/v2/repository/models/tries/unload", json={"parameters": parameters})
    assert answered.status_code == 200, answered.text
