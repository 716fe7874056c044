"""The running service, as its callers see it."""

import contextlib
import gzip
import json
import os
import socket
import threading
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import psutil
import pytest

from ekiben.model.package import GOLDEN_FILE, PackedModel
from ekiben.service.settings import Settings
from tests.conftest import PATIENCE_S, Server, run, serve, wait_until
from tests.http_client import HTTP

pytestmark = pytest.mark.slow

JSON = {"content-type": "application/json"}
LIMITS = Settings()


@pytest.fixture(scope="module")
def golden(model: PackedModel) -> dict[str, Any]:
    """Held-out rows and what the trained network answered."""
    loaded: dict[str, Any] = json.loads((model.path / GOLDEN_FILE).read_text())
    return loaded


@pytest.fixture
def row(model: PackedModel) -> dict[str, Any]:
    return dict(model.schema.example)


def post(server: Server, body: Any, **headers: str) -> httpx.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return HTTP.post(f"{server.url}/predict", content=content, headers=JSON | headers)


def send_raw(server: Server, data: bytes) -> bytes:
    """Send bytes as they are; return what comes back until the server closes or falls silent."""
    address = urlsplit(server.url)
    with socket.create_connection((address.hostname or "", address.port or 0), timeout=3) as connection:
        connection.sendall(data)
        received = b""
        try:
            while chunk := connection.recv(65536):
                received += chunk
        except TimeoutError:
            pass
        return received


def test_golden_rows_get_the_golden_answers(server: Server, golden: dict[str, Any]) -> None:
    answered = post(server, {"rows": golden["rows"]}).json()
    probabilities = [prediction["probability"] for prediction in answered["predictions"]]
    assert probabilities == pytest.approx([answer[0] for answer in golden["answers"]], abs=1e-5)
    assert all(p["label"] is (p["probability"] >= 0.5) for p in answered["predictions"])
    assert (answered["model"], answered["version"]) == ("flight_delay", "1")


def test_a_row_gets_the_same_bits_alone_and_in_company(server: Server, golden: dict[str, Any]) -> None:
    together = post(server, {"rows": golden["rows"][:70]}).json()["predictions"]
    alone = [post(server, {"rows": [one]}).json()["predictions"][0] for one in golden["rows"][:70]]
    assert alone == together


def test_one_row_may_come_without_a_list(server: Server, row: dict[str, Any]) -> None:
    assert post(server, {"rows": row}).json() == post(server, {"rows": [row]}).json()


def test_callers_at_once_get_their_own_answers(server: Server, golden: dict[str, Any]) -> None:
    def ask(index: int) -> float:
        return float(post(server, {"rows": [golden["rows"][index]]}).json()["predictions"][0]["probability"])

    indices = [index % len(golden["rows"]) for index in range(400)]
    with ThreadPoolExecutor(16) as pool:
        given = list(pool.map(ask, indices))
    assert given == pytest.approx([golden["answers"][index][0] for index in indices], abs=1e-5)


def test_an_unseen_category_is_answered_with_a_warning(server: Server, row: dict[str, Any]) -> None:
    answered = post(server, {"rows": [row, row | {"dest": "XYZ"}]})
    assert answered.status_code == 200
    assert answered.json()["warnings"] == ["row 1: `dest`: 'XYZ' was not seen in training"]


def test_null_is_an_answerable_value_of_a_nullable_field(server: Server, row: dict[str, Any]) -> None:
    assert post(server, {"rows": [row | {"wind_dir": None, "aircraft_year": None}]}).status_code == 200


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"distance": "far"}, "row 1: `distance`: expected a number, got 'far'"),
        ({"distance": "12"}, "row 1: `distance`: expected a number, got '12'"),
        ({"distance": True}, "row 1: `distance`: expected a number, got true"),
        ({"distance": None}, "row 1: `distance`: null is not allowed; expected a number"),
        ({"distance": [1]}, "row 1: `distance`: expected a number, got a list"),
        ({"humid_12h": 101}, "row 1: `humid_12h`: expected a number from 0 to 100 %, got 101"),
        ({"temp": float("nan")}, "row 1: `temp`: expected a finite number, got nan; send null if it is unknown"),
        ({"temp": float("-inf")}, "row 1: `temp`: expected a finite number, got -inf; send null if it is unknown"),
        ({"distance": 10**400}, "row 1: `distance`: expected a number from"),
        ({"carrier": 7}, "row 1: `carrier`: expected a string, got 7"),
        ({"scheduled_departure": "tomorrow"}, "row 1: `scheduled_departure`: expected an ISO 8601 date and time"),
        ({"scheduled_departure": "2013-07-04T10:00:00Z"}, "row 1: `scheduled_departure`: expected local time without"),
        ({"distanse": 5}, "row 1: `distanse`: unknown field"),
    ],
)
def test_a_wrong_value_is_named_with_its_row_and_field(
    server: Server, row: dict[str, Any], change: dict[str, Any], problem: str
) -> None:
    rejected = post(server, {"rows": [row, row | change]})
    assert rejected.status_code == 400
    assert rejected.headers["content-type"] == "application/json"
    assert rejected.json()["error"].startswith(problem)
    assert rejected.json()["problems"][0]["row"] == 1
    assert rejected.json()["problems"][0]["field"] in change


def test_a_misspelt_field_is_recognised(server: Server, row: dict[str, Any]) -> None:
    row["distanse"] = row.pop("distance")
    problems = post(server, {"rows": [row]}).json()["problems"]
    assert problems[0]["message"] == "unknown field; did you mean `distance`?"
    assert problems[1] == {"row": 0, "field": "distance", "message": "missing; it is required"}


@pytest.mark.parametrize(
    ("body", "status", "problem"),
    [
        (b"", 400, "the body is not valid JSON"),
        (b"{", 400, "the body is not valid JSON"),
        (b"\xff\xfe", 400, "the body is not valid JSON"),
        (b"[" * 100_000, 400, "the body is not valid JSON"),
        (b"[]", 400, "expected an object such as"),
        (b"{}", 400, "`rows`: missing; it is required"),
        (b'{"row": []}', 400, "`row`: unknown field; did you mean `rows`?"),
        (b'{"rows": []}', 400, "`rows`: expected at least one row"),
        (b'{"rows": null}', 400, "`rows`: expected a list of rows, got null"),
        (b'{"rows": [null]}', 400, "row 0: expected an object"),
        (b'{"rows": [[1]]}', 400, "row 0: expected an object"),
        (b'{"rows": [{"\\ud800": 1}]}', 400, "row 0: `\\ud800`: unknown field"),
        (json.dumps({"rows": [{}] * 20_001}).encode(), 413, "20001 rows are more than 20000"),
        (b" " * (LIMITS.max_body_bytes + 1), 413, "the body is larger than"),
        (b" " * 10_000_000, 413, "the body is larger than"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_wrong_body_is_rejected_in_one_sentence(server: Server, body: bytes, status: int, problem: str) -> None:
    rejected = post(server, body)
    assert rejected.status_code == status
    assert rejected.json()["error"].encode("utf-8", "backslashreplace").decode().startswith(problem)


@pytest.mark.parametrize("kind", ["text/csv", "text/plain", "multipart/form-data; boundary=x", "application/xml"])
def test_a_wrong_content_type_is_rejected(server: Server, kind: str) -> None:
    rejected = HTTP.post(f"{server.url}/predict", content=b"{}", headers={"content-type": kind})
    assert rejected.status_code == 415
    assert "send application/json" in rejected.json()["error"]


def test_json_with_a_charset_is_json(server: Server, row: dict[str, Any]) -> None:
    kind = {"content-type": "application/json; charset=utf-8"}
    assert post(server, {"rows": [row]}, **kind).status_code == 200


@pytest.mark.parametrize(("coding", "compress"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
def test_a_compressed_body_is_unpacked(
    server: Server, row: dict[str, Any], coding: str, compress: Callable[[bytes], bytes]
) -> None:
    body = json.dumps({"rows": [row]}).encode()
    packed = compress(body[:20]) + compress(body[20:])  # two members, as `cat a.gz b.gz` and pigz write them
    assert post(server, packed, **{"content-encoding": coding}).json() == post(server, {"rows": [row]}).json()


@pytest.mark.parametrize(
    ("coding", "body", "status", "sentence"),
    [
        ("gzip", b"not gzip", 400, "not compressed as its content encoding says"),
        ("gzip", gzip.compress(b"{" * 100)[:-9], 400, "ends too soon"),
        ("gzip", gzip.compress(os.urandom(200_000) + b" " * LIMITS.max_body_bytes), 413, "bytes once unpacked"),
        ("gzip", gzip.compress(b" " * LIMITS.max_body_bytes), 413, "more than 100 times its size"),
        ("gzip", gzip.compress(b"") * 20_000, 413, "more than 1000 compressed members"),
        ("gzip", gzip.compress(b"[1]") + b"more", 400, "not compressed as its content encoding says"),
        ("br", b"x", 415, "content encoding 'br' is not supported"),
    ],
    ids=["none", "cut", "large", "ratio", "members", "more", "brotli"],
)
def test_a_wrongly_compressed_body_is_rejected(
    server: Server, coding: str, body: bytes, status: int, sentence: str
) -> None:
    rejected = post(server, body, **{"content-encoding": coding})
    assert (rejected.status_code, sentence in rejected.json()["error"]) == (status, True)


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_a_wrong_method_is_rejected(server: Server, method: str) -> None:
    rejected = HTTP.request(method, f"{server.url}/predict")
    assert rejected.status_code == 405
    assert rejected.headers["allow"] == "POST"
    assert "POST" in rejected.json()["error"]


def test_a_wrong_request_disturbs_no_other(server: Server, golden: dict[str, Any]) -> None:
    stop = threading.Event()

    def misbehave(_: int) -> None:
        while not stop.is_set():
            post(server, {"rows": [{"nonsense": 1}]})
            post(server, b"{")

    def ask(index: int) -> float:
        return float(post(server, {"rows": [golden["rows"][index]]}).json()["predictions"][0]["probability"])

    with ThreadPoolExecutor(8) as pool:
        bad = [pool.submit(misbehave, n) for n in range(3)]
        given = list(pool.map(ask, range(200)))
        stop.set()
        [one.result() for one in bad]
    assert given == pytest.approx([answer[0] for answer in golden["answers"][:200]], abs=1e-5)


def test_a_deadline_is_kept_or_rejected(server: Server, row: dict[str, Any]) -> None:
    assert post(server, {"rows": [row]}, **{"x-request-timeout-ms": "5000"}).status_code == 200
    late = post(server, {"rows": [row]}, **{"x-request-timeout-ms": "0.000001"})
    assert late.status_code in (429, 504)
    assert "error" in late.json()


@pytest.mark.parametrize("timeout", ["soon", "-1", "0", "nan", "1e99", "inf"])
def test_a_deadline_that_makes_no_sense_is_rejected(server: Server, row: dict[str, Any], timeout: str) -> None:
    rejected = post(server, {"rows": [row]}, **{"x-request-timeout-ms": timeout})
    assert rejected.status_code == 400
    assert "x-request-timeout-ms" in rejected.json()["error"]


def test_the_request_id_comes_back(server: Server, row: dict[str, Any]) -> None:
    assert post(server, {"rows": [row]}, **{"x-request-id": "abc-1"}).headers["x-request-id"] == "abc-1"
    assert len(post(server, {}).headers["x-request-id"]) > 8  # an error always has one, to be found in the log


def test_a_body_in_chunks_is_one_body(server: Server, row: dict[str, Any]) -> None:
    body = json.dumps({"rows": [row]}).encode()
    pieces = (body[start : start + 50] for start in range(0, len(body), 50))
    answered = HTTP.post(f"{server.url}/predict", content=pieces, headers=JSON)
    assert answered.json() == post(server, body).json()


def test_a_body_that_does_not_come_is_given_up(server: Server) -> None:
    head = b"POST /predict HTTP/1.1\r\nhost: x\r\nx-request-timeout-ms: 300\r\ncontent-length: 1000\r\n\r\n{"
    received = send_raw(server, head)
    assert received.startswith(b"HTTP/1.1 408")
    assert b"did not arrive within 0.3 s" in received


def test_a_row_of_nonsense_is_rejected_quickly_and_briefly(server: Server, row: dict[str, Any]) -> None:
    names = {f"distanc{n}": n for n in range(20_000)}
    rejected = post(server, {"rows": [row] * 5000 + [names | {"x" * 1_000_000: 1}]})
    assert rejected.status_code == 400
    assert rejected.json()["problems"][0]["row"] == 5000
    assert len(rejected.content) < 10_000
    assert rejected.elapsed.total_seconds() < 2  # a name was compared with all others for each of 20,000


def test_pipelined_requests_are_answered_in_order(server: Server, golden: dict[str, Any]) -> None:
    def request(index: int, last: bool) -> bytes:
        body = json.dumps({"rows": [golden["rows"][index]]}).encode()
        closing = b"connection: close\r\n" if last else b""
        head = b"POST /predict HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n%scontent-length: %d\r\n\r\n"
        return head % (closing, len(body)) + body

    received = send_raw(server, b"".join(request(index, index == 4) for index in range(5)))
    bodies = [json.loads(part.partition(b"\r\n\r\n")[2]) for part in received.split(b"HTTP/1.1 200 OK")[1:]]
    given = [body["predictions"][0]["probability"] for body in bodies]
    assert given == pytest.approx([answer[0] for answer in golden["answers"][:5]], abs=1e-5)


def test_a_client_that_leaves_in_the_middle_of_a_body_harms_nothing(server: Server, row: dict[str, Any]) -> None:
    address = urlsplit(server.url)
    for _ in range(20):
        with socket.create_connection((address.hostname or "", address.port or 0)) as connection:
            connection.sendall(b"POST /predict HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n{")
    assert post(server, {"rows": [row]}).status_code == 200
    assert "Traceback" not in server.log.read_text()


def test_bentomls_client_works(server: Server, row: dict[str, Any]) -> None:
    call = "client = bentoml.SyncHTTPClient(url); print(json.dumps(client.predict(rows=rows)))"
    printed = run("-c", f"import bentoml, json; url, rows = {server.url!r}, [{row!r}] * 2; {call}").stdout
    assert json.loads(printed) == post(server, {"rows": [row, row]}).json()


def test_the_docs_page_describes_every_field(server: Server, model: PackedModel) -> None:
    assert HTTP.get(server.url).status_code == 200
    schemas = HTTP.get(f"{server.url}/docs.json").json()["components"]["schemas"]
    fields = schemas["Row"]["properties"]
    assert list(fields) == list(model.schema.names)
    assert all(field["description"] and field["examples"] for field in fields.values())
    assert schemas["Row"]["example"] == model.schema.example
    assert "airline" in fields["carrier"]["description"]
    assert "[miles]" in fields["distance"]["description"]
    assert schemas["Prediction"]["properties"]["probability"]["description"]


def test_probes_and_unknown_paths_fall_through_to_bentoml(server: Server) -> None:
    assert [HTTP.get(f"{server.url}/{path}").status_code for path in ("livez", "readyz", "healthz")] == [200] * 3
    assert HTTP.get(f"{server.url}/nowhere").status_code == 404


def test_requests_batches_and_rejections_are_counted(server: Server, row: dict[str, Any]) -> None:
    answered = 'ekiben_inference_requests_total{code="200",protocol="predict"}'
    rejected = 'ekiben_inference_requests_total{code="400",protocol="predict"}'
    batched = "ekiben_inference_batch_rows_sum"
    lines = (answered, rejected, batched)
    before = [server.metric(line) for line in lines]
    post(server, {"rows": [row] * 7})
    post(server, {})
    wanted = [before[0] + 1, before[1] + 1, before[2] + 7]
    # Not exactly: what other tests asked in the second before is counted in between.
    wait_until(lambda: all(server.metric(line) >= n for line, n in zip(lines, wanted, strict=True)))
    assert server.metric('ekiben_model_info{engine="litert",model="flight_delay"') == 1
    assert server.metric('ekiben_inference_request_duration_seconds_count{code_class="2xx",protocol="predict"}') >= 2
    assert server.metric("ekiben_inference_queue_duration_seconds_count") >= 1
    assert server.metric("ekiben_inference_compute_duration_seconds_count") >= 1


def test_another_service_in_the_same_home_leaves_the_counters_alone(
    server: Server, row: dict[str, Any], tmp_path: Path
) -> None:
    line = 'ekiben_inference_requests_total{code="200",protocol="predict"}'
    with serve(tmp_path) as other:
        before = server.metric(line), other.metric(line)
        post(server, {"rows": [row]})
        wait_until(lambda: server.metric(line) > before[0])
        assert other.metric(line) == before[1]


@pytest.mark.parametrize("path", ["/livez", "/docs.css", "/nothing"])
def test_what_bentoml_answers_keeps_no_memory(server: Server, path: str) -> None:
    """Its timeout kept a timer and a future of each for a minute: 109 MiB of these."""
    parent = psutil.Process(server.process.pid)
    worker = max(parent.children(recursive=True), key=lambda one: int(one.memory_info().rss))
    asked = f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode() * 16

    def ask(times: int) -> int:
        address = urlsplit(server.url)
        with socket.create_connection((address.hostname or "", address.port or 0), timeout=PATIENCE_S) as connection:
            for _ in range(times // 16):
                connection.sendall(asked)
                answers = 0
                while answers < 16:
                    answers += connection.recv(2**20).count(b"HTTP/1.1 ")
        return int(worker.memory_info().rss)

    before = ask(2000)
    assert ask(20_000) - before < 8 * 2**20


def test_tensorflow_is_not_in_the_servers_memory(server: Server) -> None:
    parent = psutil.Process(server.process.pid)
    mapped = set()
    for one in (parent, *parent.children(recursive=True)):
        with contextlib.suppress(psutil.NoSuchProcess):  # one that read Parquet, and is done
            mapped |= {region.path for region in one.memory_maps()}
    assert any("litert" in path for path in mapped)
    assert not any("libtensorflow" in path or "pandas" in path or "mlflow" in path for path in mapped)
