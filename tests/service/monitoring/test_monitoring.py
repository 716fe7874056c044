"""Real services show what they see: over HTTP, to Prometheus, to people, and together."""

import json
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest

from ekiben.contract.encoding import Encoder
from ekiben.contract.page import POLICY
from ekiben.contract.reference.counting import RowCounter
from ekiben.contract.reference.reference import REFERENCE_FILE
from ekiben.contract.reference.snapshot import Snapshot, merge_snapshots, parse_snapshot
from ekiben.model.package import GOLDEN_FILE, PackedModel
from ekiben.monitoring.drift import compare_sources
from tests.conftest import NAME, Server, run, serve, wait_until

pytestmark = pytest.mark.slow

Rows = list[dict[str, Any]]
BATCH = 8
NO_DAY = "no alarms yet: no whole day has been counted"


@pytest.fixture(scope="module")
def honest(model: PackedModel) -> Rows:
    rows: Rows = json.loads((model.path / GOLDEN_FILE).read_text())["rows"]
    return rows


@pytest.fixture(scope="module")
def faulty(honest: Rows) -> Rows:
    """The same rows with pressure missing and one carrier never seen."""
    return [row | {"pressure": None, "carrier": "??" if row["carrier"] == "UA" else row["carrier"]} for row in honest]


@pytest.fixture(scope="module")
def replicas(model: PackedModel, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Server]]:
    """Two services, one of them with two workers."""
    folders = [tmp_path_factory.mktemp("replica") for _ in range(2)]
    with serve(folders[0]) as one, serve(folders[1], WORKERS="2") as two:
        yield one, two


def send(server: Server, rows: Rows) -> None:
    """Send rows over many connections, so that every worker gets some."""
    for first in range(0, len(rows), BATCH):
        body = {"rows": rows[first : first + BATCH]}
        assert httpx.post(f"{server.url}/predict", json=body).status_code == 200


def read(server: Server, path: str = "/monitoring") -> Snapshot:
    return parse_snapshot(httpx.get(server.url + path).content, path)


def save(server: Server, path: Path) -> Snapshot:
    path.write_bytes(httpx.get(f"{server.url}/monitoring").content)
    return parse_snapshot(path.read_bytes(), str(path))


def count_directly(model: PackedModel, rows: Sequence[dict[str, Any]]) -> dict[str, tuple[int, ...]]:
    assert model.reference is not None
    counter = RowCounter(model.schema, model.reference)
    encoded = Encoder(model.schema).encode_rows(rows)
    features, answers = counter.split(counter.count(encoded, model.start_engine().run(encoded)))
    return features | answers


def test_replicas_and_workers_add_up_to_the_counts_of_all_rows(
    model: PackedModel, replicas: tuple[Server, Server], honest: Rows, faulty: Rows, tmp_path: Path
) -> None:
    one, two = replicas
    saved = tmp_path / "early.json"
    send(one, honest)
    saved.write_bytes(httpx.get(f"{one.url}/monitoring").content)
    send(one, faulty)
    send(two, honest)
    whole = tmp_path / "two.json"  # whichever worker answers, the other's part may be two seconds old
    wait_until(lambda: save(two, whole).rows == len(honest))
    of_two = parse_snapshot(whole.read_bytes(), "")
    assert len({window.source for window in of_two.windows}) == 2
    merged = merge_snapshots({"early": parse_snapshot(saved.read_bytes(), ""), "one": read(one), "two": of_two})
    assert model.reference is not None
    wanted = count_directly(model, [*honest, *faulty, *honest])
    features = {one.name: merged.add_up(one) for one in model.reference.distinct if one.name in wanted}
    assert features | {one.name: merged.add_up(one, "answers") for one in model.reference.answers} == wanted
    assert merged.rows == merged.counted == 3 * len(honest)

    report = compare_sources([one.url, str(whole), str(saved)])
    assert {shift.then.name: shift.now.counts for shift in (*report.features, *report.answers)} == wanted
    verdicts = {shift.then.name: shift.verdict for shift in report.features}
    assert (verdicts["pressure"], verdicts["aircraft_seats"]) == ("large", "stable")
    assert report.features[0].then.name == "pressure"


@pytest.mark.parametrize("span", ["minutes", "hours", "days"])
def test_windows_of_every_length_hold_the_same_rows(replicas: tuple[Server, Server], honest: Rows, span: str) -> None:
    one, _ = replicas
    send(one, honest[:BATCH])
    assert read(one, f"/monitoring/{span}").span == span
    assert read(one, f"/monitoring/{span}").rows == read(one).rows


def test_rejected_values_are_shown_by_field(replicas: tuple[Server, Server], honest: Rows) -> None:
    one, _ = replicas
    before = read(one).rejected.get("distance", 0)
    assert httpx.post(f"{one.url}/predict", json={"rows": [honest[0] | {"distance": -1}]}).status_code == 400
    assert read(one).rejected["distance"] == before + 1


def test_alarms_are_of_days_that_are_over(model: PackedModel, replicas: tuple[Server, Server], honest: Rows) -> None:
    one, _ = replicas
    assert model.reference is not None
    assert model.reference.alarms is not None
    assert (model.reference.alarms.time, model.reference.alarms.windows) == ("scheduled_departure", 365)
    send(one, honest[:BATCH])
    listed = httpx.get(f"{one.url}/monitoring/alarms").json()
    assert listed == {"day": None, "silence": NO_DAY, "threshold": 0.0, "alarms": [], "notes": []}
    assert NO_DAY in httpx.get(f"{one.url}/monitoring/page").text
    assert one.metric(f'ekiben_monitoring_alarms{{model="{NAME}"}}') == 0
    assert "ekiben_monitoring_alarm{" not in httpx.get(f"{one.url}/metrics").text


def test_the_page_is_strict(replicas: tuple[Server, Server], honest: Rows) -> None:
    one, _ = replicas
    send(one, honest[:BATCH])
    answer = httpx.get(f"{one.url}/monitoring/page")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["content-security-policy"].startswith(POLICY)
    assert "<script" not in answer.text
    assert answer.text.count("<svg") == 21 + 1


def test_prometheus_reads_a_few_series(replicas: tuple[Server, Server], model: PackedModel, honest: Rows) -> None:
    one, _ = replicas
    send(one, honest)
    wait_until(lambda: one.metric(f'ekiben_monitoring_rows{{model="{NAME}"}}') == read(one, "/monitoring/hours").rows)
    assert one.metric(f'ekiben_monitoring_drift{{feature="pressure",model="{NAME}"}}') > 0
    assert one.metric(f'ekiben_monitoring_answer_drift{{answer="probability",model="{NAME}"}}') > 0
    assert 0 < one.metric(f'ekiben_monitoring_missing_share{{feature="pressure",model="{NAME}"}}') < 1
    assert model.reference is not None
    (pressure,) = (then for then in model.reference.distributions if then.name == "pressure")
    assert (
        one.metric(f'ekiben_monitoring_training_missing_share{{feature="pressure",model="{NAME}"}}')
        == pressure.missing
        > 0
    )
    lines = httpx.get(f"{one.url}/metrics").text.splitlines()
    for name in ("ekiben_monitoring_unseen_share", "ekiben_monitoring_training_unseen_share"):
        assert sum(line.startswith(f"{name}{{") for line in lines) == 3


def test_the_command_compares_services_and_files(replicas: tuple[Server, Server], honest: Rows, tmp_path: Path) -> None:
    one, two = replicas
    send(one, honest[:BATCH])
    saved = tmp_path / "saved.json"
    saved.write_bytes(httpx.get(f"{one.url}/monitoring").content)
    described = json.loads(run("-m", "ekiben.commands", "drift", one.url, str(saved), "--format", "json").stdout)
    assert described["rows"] == read(one).rows
    assert len(described["features"]) == 21
    page = tmp_path / "drift.html"
    run("-m", "ekiben.commands", "drift", str(saved), "--format", "html", "-o", str(page))  # the store's reference
    assert page.read_text().startswith("<!DOCTYPE html>")
    assert "now beside training" in run("-m", "ekiben.commands", "drift", f"{two.url}/monitoring/hours").stdout


@pytest.mark.parametrize(
    ("sources", "sentence"),
    [
        (["http://127.0.0.1:9"], "http://127.0.0.1:9/monitoring can't be reached (Connection refused"),
        (["no.json"], "no.json can't be read (No such file or directory)"),
        (["README.md"], "README.md is not a snapshot of `GET /monitoring`"),
        (["README.md", "README.md"], "a source is named twice"),
    ],
)  # fmt: skip
def test_a_source_that_is_none_is_named(model: PackedModel, sources: list[str], sentence: str) -> None:
    done = run("-m", "ekiben.commands", "drift", *sources, fails=True)
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr


def test_another_reference_is_rejected(replicas: tuple[Server, Server], model: PackedModel, tmp_path: Path) -> None:
    other = tmp_path / REFERENCE_FILE
    other.write_bytes((model.path / REFERENCE_FILE).read_bytes() + b" ")
    done = run("-m", "ekiben.commands", "drift", replicas[0].url, "--reference", str(other), fails=True)
    assert f"{other} is not the reference that the rows were counted in" in done.stderr


def test_with_a_token_nothing_is_shown_without_it_and_golden_rows_are_not_counted(
    model: PackedModel, tmp_path: Path
) -> None:
    with serve(tmp_path, AUTH_TOKEN="secret") as server:
        for path in (
            "/monitoring",
            "/monitoring/page",
            "/monitoring/alarms",
            "/monitoring/reference",
            "/monitoring/days",
        ):
            assert httpx.get(server.url + path).status_code == 401
        done = run("-m", "ekiben.commands", "drift", server.url, fails=True)
        assert "answers 401: set AUTH_TOKEN to the service's token" in done.stderr
        shown = run("-m", "ekiben.commands", "drift", server.url, AUTH_TOKEN="secret").stdout
        assert "No row was answered yet." in shown  # though it has warmed up and replayed the golden rows


def test_monitoring_can_be_turned_off(model: PackedModel, honest: Rows, tmp_path: Path) -> None:
    with serve(tmp_path, MONITORING="0") as server:
        send(server, honest[:BATCH])
        for path in ("/monitoring", "/monitoring/page"):
            answer = httpx.get(server.url + path)
            assert answer.json() == {"error": "monitoring is off: start the service without MONITORING=0"}
            assert answer.status_code == 404
        assert "ekiben_monitoring_" not in httpx.get(f"{server.url}/metrics").text.replace('protocol="monitoring"', "")


@pytest.mark.parametrize("older", ["no reference", "a reference without answers"])
def test_an_older_model_is_served_and_says_why_nothing_is_counted(
    model: PackedModel, honest: Rows, copied_store: Path, tmp_path: Path, older: str
) -> None:
    folder = tmp_path / "package"
    shutil.copytree(model.path, folder, ignore=shutil.ignore_patterns("model.yaml"))
    if older == "no reference":
        (folder / REFERENCE_FILE).unlink()
    else:
        assert model.reference is not None
        model.reference.model_copy(update={"answers": ()}).save(folder / REFERENCE_FILE)
    store_again(folder, copied_store)
    with serve(tmp_path, BENTOML_HOME=str(copied_store)) as server:
        send(server, honest[:BATCH])
        answer = httpx.get(f"{server.url}/monitoring")
        sentence = f"monitoring is off: {NAME} 1 was packed without what it answered: train it again"
        assert (answer.status_code, answer.json()) == (404, {"error": sentence})
        assert sentence in server.log.read_text()
    done = run("-m", "ekiben.commands", "cost", "--monitoring", fails=True, BENTOML_HOME=str(copied_store))
    assert done.stderr == f"error: {sentence}\n"


def store_again(folder: Path, home: Path) -> None:
    """Put a package into another BentoML store, in a process that has that store."""
    code = (
        "import sys; from pathlib import Path; from ekiben.training.registry.storing import store_package;"
        "store_package(Path(sys.argv[1]), '1', {'run_id': 'r'})"
    )
    run("-c", code, str(folder), BENTOML_HOME=str(home))
