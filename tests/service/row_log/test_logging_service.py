"""Real services log what they answer and take labels: with a token, with several workers, on a full disk."""

import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest

from ekiben.model.package import GOLDEN_FILE, PackedModel
from ekiben.service.protos import message
from tests.callers import call
from tests.conftest import PATIENCE_S, Server, serve, wait_until
from tests.http_client import HTTP
from tests.service.row_log.log_reading import ROWS, list_rows, read_labels, read_rows
from tests.small_disk import small_disk

pytestmark = pytest.mark.slow

TOKEN = {"authorization": "Bearer secret"}
METHOD = "ekiben.v1.Feedback/Send"
Rows = list[dict[str, Any]]
Label, FeedbackRequest = message("ekiben.v1.Label"), message("ekiben.v1.FeedbackRequest")


@pytest.fixture(scope="module")
def rows(model: PackedModel) -> Rows:
    golden: Rows = json.loads((model.path / GOLDEN_FILE).read_text())["rows"]
    return golden


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("logging") / "log"


@pytest.fixture(scope="module")
def logging_server(model: PackedModel, folder: Path) -> Iterator[Server]:
    """A service that logs every row and wants a token; as it ends, what it logged is looked at."""
    with serve(folder.parent, LOG_SAMPLE="1", LOG_FOLDER=str(folder), AUTH_TOKEN="secret") as running:
        yield running


def post(server: Server, path: str, body: Any, **headers: str) -> httpx.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return HTTP.post(server.url + path, content=content, headers=TOKEN | headers)


def ask(server: Server, rows: Rows) -> str:
    """Send rows; return the prediction's id."""
    answered = post(server, "/predict", {"rows": rows})
    assert answered.status_code == 200, answered.text
    return str(answered.headers["x-prediction-id"])


def test_labels_find_the_rows_that_were_answered(logging_server: Server, rows: Rows) -> None:
    one, many = ask(logging_server, rows[:1]), ask(logging_server, rows[:3])
    labels = [{"id": one, "label": True}, {"id": f"{many}/2", "label": False}, {"id": "stranger", "label": True}]
    receipt = post(logging_server, "/feedback", labels).json()
    assert (receipt["added"], receipt["known"], receipt["late"]) == (3, 0, 0)
    assert post(logging_server, "/feedback", labels).json() == {"added": 0, "known": 3, "unknown": 0, "late": 0}
    flips = itertools.cycle([False, True])

    def find() -> bool:  # a row is known a second after its answer
        receipt = post(logging_server, "/feedback", {"id": one, "label": next(flips)}).json()
        assert receipt["added"] == 1
        return bool(receipt["unknown"] == 0)

    wait_until(find)


def test_labels_over_grpc_are_the_same(logging_server: Server, folder: Path) -> None:
    request = FeedbackRequest(labels=[Label(id="by-grpc", boolean=True), Label(id="by-grpc-too", boolean=False)])
    with grpc.insecure_channel(logging_server.grpc) as channel:
        send = channel.unary_unary(
            f"/{METHOD}", FeedbackRequest.SerializeToString, message("ekiben.v1.FeedbackResponse").FromString
        )
        for added in (2, 0):
            response = send(request, metadata=list(TOKEN.items()), timeout=PATIENCE_S)
            assert (response.added, response.known) == (added, 2 - added)
        over_http = post(logging_server, "/feedback", {"id": "by-grpc", "label": True}).json()
        assert over_http["known"] == 1
        for wrong, code, sentence in (
            (FeedbackRequest(labels=[Label(id="a", text="yes")]), grpc.StatusCode.INVALID_ARGUMENT, "expected one of"),
            (FeedbackRequest(labels=[Label(id="a")]), grpc.StatusCode.INVALID_ARGUMENT, "got null"),
            (FeedbackRequest(), grpc.StatusCode.INVALID_ARGUMENT, "there are no labels"),
        ):
            with pytest.raises(grpc.RpcError) as rejected:
                send(wrong, metadata=list(TOKEN.items()), timeout=PATIENCE_S)
            assert rejected.value.code() is code
            assert sentence in rejected.value.details()
        with pytest.raises(grpc.RpcError) as rejected:
            send(request, timeout=PATIENCE_S)
        assert rejected.value.code() is grpc.StatusCode.UNAUTHENTICATED
    assert ("by-grpc", "true") in read_labels(folder)


@pytest.mark.parametrize(
    ("body", "status", "sentence"),
    [
        ({"id": "a", "label": "yes"}, 400, "row 0: `label`: expected one of false, true, got 'yes'"),
        ({"id": "a"}, 400, 'expected {"id": …, "label": …}'),
        (b"nonsense", 400, "not valid JSON"),
        ([{"id": str(number), "label": True} for number in range(20_001)], 413, "20001 labels are more than 20000"),
        (json.dumps([{"id": "0" * 24, "label": True}] * 1_000_000).encode(), 413, "the body is larger than"),
    ],
)
def test_wrong_labels_are_one_sentence(logging_server: Server, body: Any, status: int, sentence: str) -> None:
    rejected = post(logging_server, "/feedback", body)
    assert (rejected.status_code, list(rejected.json())) == (status, ["error"])
    assert sentence in rejected.json()["error"]


def test_labels_want_the_token_and_are_described(logging_server: Server) -> None:
    assert httpx.post(f"{logging_server.url}/feedback", json={"id": "a", "label": True}).status_code == 401
    described = httpx.get(f"{logging_server.url}/docs.json", headers=TOKEN).json()
    assert "post" in described["paths"]["/feedback"]


def test_a_service_without_a_log_says_how_to_switch_it_on(server: Server) -> None:
    rejected = HTTP.post(f"{server.url}/feedback", json={"id": "a", "label": True})
    assert rejected.status_code == 404
    assert "start the service with LOG_FOLDER, or with LOG_SAMPLE above 0" in rejected.json()["error"]
    with pytest.raises(grpc.RpcError) as caught:
        call(server, METHOD, FeedbackRequest(labels=[Label(id="a", boolean=True)]), "ekiben.v1.FeedbackResponse")
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND


def test_workers_write_all_they_answered_as_they_end(model: PackedModel, rows: Rows, tmp_path: Path) -> None:
    with serve(tmp_path, LOG_SAMPLE="1", EKIBEN_HOME=str(tmp_path), WORKERS="2") as running:
        answers: dict[str, float] = {}
        while len({name[8:18] for name in answers}) < 2:  # a connection is the worker's that is first to take it
            answered = httpx.post(f"{running.url}/predict", json={"rows": [rows[len(answers) % len(rows)]]})
            answers[answered.headers["x-prediction-id"]] = answered.json()["predictions"][0]["probability"]
            assert len(answers) < 5000
    folder = tmp_path / "data" / "log"
    table = read_rows(folder)
    assert table["answer"].to_dict() == answers  # no golden row, and none of the warm-up
    pids = {ROWS.fullmatch(path.name)[1] for path in list_rows(folder)}  # type: ignore[index]
    assert len(pids) == len({name[8:18] for name in answers}) == 2


def test_on_a_full_disk_answers_go_on(model: PackedModel, rows: Rows, tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 65536) as disk:
        with serve(tmp_path, LOG_SAMPLE="1", LOG_FOLDER=str(disk)) as running:
            (disk / "filler").write_bytes(bytes(65536 - 4096))
            for _ in range(3):
                assert HTTP.post(f"{running.url}/predict", json={"rows": rows}).status_code == 200
            labels = [{"id": f"{number:0128}", "label": True} for number in range(1000)]
            rejected = HTTP.post(f"{running.url}/feedback", json=labels)
            assert rejected.status_code == 503
            assert "send them again later" in rejected.json()["error"]
            assert HTTP.post(f"{running.url}/predict", json={"rows": rows}).status_code == 200
        assert [path.name for path in disk.iterdir()] == ["filler"]
    log = running.log.read_text()
    assert log.count(f"{disk} can't be written to (No space left on device): the row log drops rows") == 1
    assert "Traceback" not in log
