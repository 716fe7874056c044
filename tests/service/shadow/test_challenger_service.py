"""Real services compare a challenger with what they serve: exactly, with labels, over all workers, or say why not."""

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import httpx
import numpy as np
import pytest

from ekiben.contract.comparison.comparison import Comparison, parse_comparison
from ekiben.contract.comparison.differences import find_disagreements, list_edges, measure_differences
from ekiben.contract.comparison.evidence import weigh
from ekiben.contract.comparison.losses import compare_losses
from ekiben.contract.comparison.transcoding import Transcoder
from ekiben.contract.encoding import Encoder
from ekiben.contract.page import POLICY
from ekiben.model.golden import Golden
from ekiben.model.package import GOLDEN_FILE, LITERT_FILE, PackedModel, open_model
from ekiben.model.store import DIGEST_LABEL
from ekiben.service.protos import message
from tests.callers import call
from tests.conftest import NAME, PATIENCE_S, Server, run, serve, wait_until
from tests.http_client import HTTP

pytestmark = pytest.mark.slow

Rows = list[dict[str, Any]]
PATH = "/monitoring/challenger"
Label, FeedbackRequest = message("ekiben.v1.Label"), message("ekiben.v1.FeedbackRequest")


@pytest.fixture(scope="module")
def models(stores: dict[str, str]) -> tuple[PackedModel, PackedModel]:
    """The champion and the challenger."""
    folder = Path(stores["BENTOML_HOME"]) / "models" / NAME
    return _open(folder / "1"), _open(folder / "2")


def _open(path: Path) -> PackedModel:
    (digest,) = re.findall(rf"{DIGEST_LABEL}: ([0-9a-f]+)", (path / "model.yaml").read_text())
    return open_model(path, digest)


@pytest.fixture(scope="module")
def rows(models: tuple[PackedModel, PackedModel]) -> Rows:
    return Golden.model_validate_json((models[0].path / GOLDEN_FILE).read_bytes()).rows


@pytest.fixture(scope="module")
def challenged(stores: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serve(tmp_path_factory.mktemp("challenged"), CHALLENGER="challenger", **stores) as running:
        yield running


def read(server: Server) -> Comparison:
    answered = HTTP.get(server.url + PATH)
    assert answered.status_code == 200, answered.text
    return parse_comparison(answered.content, PATH)


def ask(server: Server, rows: Rows, size: int) -> list[str]:
    """Send rows, so many in a request; return the id of each."""
    ids = []
    for first in range(0, len(rows), size):
        part = rows[first : first + size]
        answered = HTTP.post(f"{server.url}/predict", json={"rows": part})
        assert answered.status_code == 200, answered.text
        name = answered.headers["x-prediction-id"]
        ids += [name] if len(part) == 1 else [f"{name}/{index}" for index in range(len(part))]
    return ids


def compute(models: tuple[PackedModel, PackedModel], rows: Rows) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return which rows can be compared, and what both models answer to these."""
    champion, challenger = models
    encoded = Encoder(champion.schema).encode_rows(rows)
    kept = Transcoder(champion.schema, challenger.schema).transcode(encoded).kept
    kept = np.ones(len(rows), bool) if kept is None else kept
    left = [row for row, fits in zip(rows, kept, strict=True) if fits]
    answers = champion.start_engine().run(encoded)[kept]
    return kept, answers, challenger.start_engine().run(Encoder(challenger.schema).encode_rows(left))


def test_who_tries_a_row_gets_both_answers_and_is_compared_with_nobody(
    challenged: Server, models: tuple[PackedModel, PackedModel], rows: Rows
) -> None:
    before = read(challenged).add_up()
    tried = HTTP.post(f"{challenged.url}/playground/{NAME}", json={"rows": rows[:3]}).json()
    encoded = Encoder(models[0].schema).encode_rows(rows[:3])
    done = Transcoder(models[0].schema, models[1].schema).transcode(encoded)
    wanted = models[1].start_engine().run(done.encoded)[:, 0].tolist()
    given = [one["probability"] for one in tried["challenger"]["predictions"] if one]
    assert given == pytest.approx(wanted, abs=1e-6)
    assert (tried["version"], tried["challenger"]["version"]) == ("1", "2")
    assert HTTP.get(f"{challenged.url}/model.json").json()["challenger"] == "2"
    after = read(challenged).add_up()
    assert (after.answered, after.compared) == (before.answered, before.compared)


def test_what_is_shown_is_what_an_offline_computation_gives(
    challenged: Server, models: tuple[PackedModel, PackedModel], rows: Rows, tmp_path: Path
) -> None:
    """To the digit: the counts, and the sums that labels make, whichever way they come."""
    target = models[0].schema.target
    ids = ask(challenged, rows, 1) + ask(challenged, rows, 8)
    kept, champion, challenger = (np.concatenate([part, part]) for part in compute(models, rows))
    wait_until(lambda: read(challenged).add_up().compared == len(champion))
    total = read(challenged).add_up()
    assert total.answered == len(ids)
    assert {reason: count for reason, count in total.dropped.items() if count} == {}
    assert len(ids) == len(champion)
    apart = measure_differences(target, champion, challenger)
    places = np.searchsorted(list_edges(target), apart)
    assert total.differences == tuple(np.bincount(places, minlength=len(total.differences)).tolist())
    disagree = find_disagreements(target, champion, challenger)
    assert total.disagreed == disagree.sum()
    carriers = np.array([row["carrier"] for row in [*rows, *rows]])[kept]
    shown = dict(zip(read(challenged).slices["carrier"], total.slices["carrier"].rows, strict=True))
    assert {name: count for name, count in shown.items() if (carriers == name).any()} == {
        name: (carriers == name).sum() for name in shown if (carriers == name).any()
    }

    truth = np.arange(len(ids)) % 3 == 0
    over_http, over_grpc = slice(0, 400), slice(400, None)
    labels = [{"id": one, "label": bool(label)} for one, label in zip(ids, truth, strict=True)]
    receipt = HTTP.post(
        f"{challenged.url}/feedback", json=labels[over_http] + [{"id": "stranger", "label": True}]
    ).json()
    assert receipt == {"added": 401, "known": 0, "unknown": 1, "late": 0}
    request = FeedbackRequest(labels=[Label(id=one["id"], boolean=one["label"]) for one in labels[over_grpc]])
    call(challenged, "ekiben.v1.Feedback/Send", request, "ekiben.v1.FeedbackResponse")
    again = HTTP.post(f"{challenged.url}/feedback", json=labels[:5]).json()
    assert again == {"added": 0, "known": 5, "unknown": 0, "late": 0}
    counted = read(challenged).add_up().labels
    assert counted.evidence == weigh(compare_losses(target, champion, challenger, truth[kept].astype(float)))
    assert (counted.received, counted.repeated) == (len(ids) + 6, 5)

    saved = tmp_path / "saved.json"
    saved.write_bytes(HTTP.get(challenged.url + PATH).content)
    summary = json.loads(saved.read_bytes())["summary"]
    _check_commands(challenged, saved, summary)


def _check_commands(server: Server, saved: Path, summary: dict[str, Any]) -> None:
    code = {"better": 0, "worse": 3, "no evidence yet": 4}[summary["decision"]]
    for form, found in (("text", "flight_delay: version 2 in the shadow of version 1"), ("html", POLICY[:10])):
        assert found in command(server.url, str(saved), "--format", form, code=code)
    added = json.loads(command(server.url, str(saved), "--format", "json", code=code))
    assert added["summary"] == summary  # once, though it is named twice


def command(*arguments: str, code: int) -> str:
    done = run("-m", "ekiben.commands", "challenger", *arguments, fails=code != 0)
    assert done.returncode == code, done.stderr
    return done.stdout


def test_the_page_and_the_series_show_it(challenged: Server, rows: Rows) -> None:
    ask(challenged, rows[:8], 8)
    page = HTTP.get(f"{challenged.url}{PATH}/page")
    assert page.headers["content-security-policy"].startswith(POLICY)
    assert "<h1>flight_delay: version 2 in the shadow of version 1</h1>" in page.text
    wait_until(lambda: challenged.metric(f'ekiben_challenger_rows_total{{model="{NAME}"}}') > 0)
    assert challenged.metric(f'ekiben_challenger_dropped_rows_total{{model="{NAME}",reason="failed"}}') == 0
    low, high = (
        challenged.metric(f'ekiben_challenger_gain{{bound="{bound}",model="{NAME}"}}') for bound in ("low", "high")
    )
    assert low <= high
    described = HTTP.get(f"{challenged.url}/docs.json").json()
    assert {PATH, f"{PATH}/page", "/feedback"} <= described["paths"].keys()


def test_shadow_rows_are_not_traffic(challenged: Server, rows: Rows) -> None:
    def count() -> tuple[int, int]:
        windows = HTTP.get(f"{challenged.url}/monitoring").json()["windows"]
        return sum(window["rows"] for window in windows), read(challenged).add_up().answered

    ask(challenged, rows[:16], 4)
    seen, answered = count()
    assert seen == answered
    assert challenged.metric("ekiben_inference_batch_rows_sum") <= seen


def test_labels_find_pairs_that_another_worker_has(
    stores: dict[str, str], models: tuple[PackedModel, PackedModel], rows: Rows, tmp_path: Path
) -> None:
    with serve(tmp_path, CHALLENGER="2", WORKERS="2", LOG_FOLDER=str(tmp_path / "log"), **stores) as running:
        ids: list[str] = []

        def ask_both() -> bool:
            ids.extend(ask(running, rows[:64], 1))
            return len({name[8:18] for name in ids}) == 2  # an id names its process

        wait_until(ask_both)
        kept, champion, challenger = (np.concatenate([part] * (len(ids) // 64)) for part in compute(models, rows[:64]))
        for one in ids:
            sent = HTTP.post(f"{running.url}/feedback", json={"id": one, "label": True})
            assert sent.json()["added"] == 1  # in the log too
        comparison = read(running)

        def all_are_counted() -> bool:  # one more answer may be of the worker that has older news of the other
            nonlocal comparison
            comparison = read(running)
            labels = comparison.add_up().labels
            return (sum(labels.rows), labels.received) == (kept.sum(), len(ids))

        wait_until(all_are_counted)
        assert len(comparison.parts) == 2
        wanted = weigh(compare_losses(models[0].schema.target, champion, challenger, np.ones(int(kept.sum()))))
        assert comparison.add_up().labels.evidence == wanted


def test_a_challenger_that_is_packed_while_the_service_runs_is_compared(
    stores: dict[str, str], rows: Rows, tmp_path: Path
) -> None:
    home = tmp_path / "bentoml"
    shutil.copytree(stores["BENTOML_HOME"], home)
    (home / "models" / NAME / "2").rename(tmp_path / "2")
    with serve(tmp_path, CHALLENGER="challenger", BENTOML_HOME=str(home)) as running:
        ask(running, rows[:8], 8)
        assert HTTP.get(running.url + PATH).status_code == 404
        (tmp_path / "2").rename(home / "models" / NAME / "2")
        wait_until(lambda: HTTP.get(running.url + PATH).status_code == 200, running.log.read_text)
        ask(running, rows[:16], 4)
        wait_until(lambda: read(running).add_up().compared > 0, running.log.read_text)
        assert read(running).challenger.version == "2"
        assert sum(window["rows"] for window in HTTP.get(f"{running.url}/monitoring").json()["windows"]) == 24
        assert HTTP.post(f"{running.url}/feedback", json={"id": "a", "label": True}).status_code == 200
    assert "Traceback" not in running.log.read_text()


@pytest.mark.parametrize(
    ("version", "sentence"),
    [
        ("7", "there is no version 7 of `flight_delay` in the BentoML store"),
        ("1", "version 1 is the champion itself"),
        ("../2", "there is no version ../2 of"),
        ("2", "is not the file that was packed"),
    ],
)
def test_a_wrong_challenger_is_one_sentence_and_the_champion_serves_on(
    version: str, sentence: str, stores: dict[str, str], rows: Rows, tmp_path: Path
) -> None:
    home = tmp_path / "bentoml"
    shutil.copytree(stores["BENTOML_HOME"], home)
    with (home / "models" / NAME / "2" / LITERT_FILE).open("ab") as file:
        file.write(b"damage")
    with serve(tmp_path, CHALLENGER=version, BENTOML_HOME=str(home)) as running:
        ask(running, rows[:2], 2)
        for path in (PATH, f"{PATH}/page"):
            rejected = HTTP.get(running.url + path)
            assert (rejected.status_code, list(rejected.json())) == (404, ["error"])
            assert sentence in rejected.json()["error"]
        log = running.log.read_text()
        said = f"CHALLENGER='{version}' can't be compared with version 1: "
        assert log.count(said) == 1
        assert "the champion serves on" in log
        assert "Traceback" not in log
        done = run("-m", "ekiben.commands", "challenger", running.url, fails=True)
        assert re.fullmatch(rf"error: {running.url}{PATH} answers 404: .*{re.escape(said)}.*\n", done.stderr)


def test_a_service_without_a_challenger_says_how_to_name_one(server: Server) -> None:
    rejected = httpx.get(server.url + PATH)
    assert rejected.status_code == 404
    assert "start the service with CHALLENGER=challenger" in rejected.json()["error"]


def test_without_monitoring_it_is_compared_all_the_same(stores: dict[str, str], rows: Rows, tmp_path: Path) -> None:
    with serve(tmp_path, CHALLENGER="challenger", MONITORING="0", AUTH_TOKEN="secret", **stores) as running:
        token = {"authorization": "Bearer secret"}
        HTTP.post(f"{running.url}/predict", json={"rows": rows[:4]}, headers=token)
        assert HTTP.get(running.url + PATH).status_code == 401
        wait_until(lambda: HTTP.get(running.url + PATH, headers=token).json()["summary"]["compared"] > 0)
        with grpc.insecure_channel(running.grpc) as channel:
            send = channel.unary_unary("/ekiben.v1.Feedback/Send", FeedbackRequest.SerializeToString)
            with pytest.raises(grpc.RpcError):
                send(FeedbackRequest(labels=[Label(id="a", boolean=True)]), timeout=PATIENCE_S)
        done = run("-m", "ekiben.commands", "challenger", running.url, fails=True, AUTH_TOKEN="secret")
        assert done.returncode == 4, done.stderr


def test_sources_that_do_not_go_together_are_one_sentence(tmp_path: Path) -> None:
    file = tmp_path / "none.json"
    file.write_text("{}")
    for sources, sentence in (([str(file)], "is not a comparison of"), ([str(file)] * 2, "is named twice")):
        done = run("-m", "ekiben.commands", "challenger", *sources, fails=True)
        assert sentence in done.stderr
        assert done.stderr.count("\n") == 1
