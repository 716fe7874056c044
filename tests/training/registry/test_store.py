"""What an MLflow store answers is one sentence, soon; the servers here are stubs, the databases are real ones."""

import contextlib
import os
import re
import shutil
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import mlflow
import pytest

from ekiben.training.registry import patience, store, tracking
from tests.conftest import ROOT, run

LOGIN = "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN"
LIMIT_S = 10


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """An environment that may name any store; MLflow has the tests' own again after it."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", before := os.environ["MLFLOW_TRACKING_URI"])
    yield monkeypatch
    mlflow.set_tracking_uri(before)


def reject(uri: str, environment: pytest.MonkeyPatch, changing: bool = True) -> str:
    """Return why a store can't be used."""
    environment.setenv("MLFLOW_TRACKING_URI", uri)
    began = time.monotonic()
    with pytest.raises(store.StoreUnreachable) as rejected, tracking.existing_store(changing):
        tracking.find_versions("nothing")
    assert time.monotonic() - began < LIMIT_S
    message = str(rejected.value)
    assert "\n" not in message
    return re.sub(r"^the MLflow store \S+ can't be used: ", "", message)


class Refuse(BaseHTTPRequestHandler):
    """Answers everything with the status that its path begins with, and a page."""

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("content-length") or 0))
        body = b"<html>login please</html>"
        self.send_response(int(self.path.split("/")[1]))
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_PATCH = do_DELETE = do_GET

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@pytest.fixture(scope="module")
def stub() -> Iterator[str]:
    """The address of a server that refuses."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Refuse) as server:
        threading.Thread(target=server.serve_forever).start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()


ANSWERS = [
    (200, "it answers with a page, not as MLflow does: check the address, or if it is a login page, " + LOGIN),
    (401, f"it asks for a login (401 Unauthorized): {LOGIN}"),
    (403, f"this login may not use it (403 Forbidden): {LOGIN}, of a user who may"),
    (404, "no MLflow server answers at this address (404 Not Found): check the address and its path"),
    (418, "it answers 418 I'm a Teapot"),
    (429, "it answers 429 Too Many Requests: try again later"),
    (500, "it answers 500 Internal Server Error: try again later"),
    (503, "it answers 503 Service Unavailable: try again later"),
    (599, "it answers 599: try again later"),
]


@pytest.mark.parametrize(("status", "sentence"), ANSWERS)
def test_what_a_server_answers_is_said(status: int, sentence: str, stub: str, environment: pytest.MonkeyPatch) -> None:
    assert reject(f"http://{stub}/{status}", environment) == sentence


def test_a_server_without_tls_is_said(stub: str, environment: pytest.MonkeyPatch) -> None:
    assert reject(f"https://{stub}/200", environment) == "it does not speak TLS: write http:// instead of https://"


@pytest.fixture
def silent() -> Iterator[str]:
    """The address of a server that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"127.0.0.1:{listening.getsockname()[1]}"


@pytest.mark.parametrize("scheme", ["http", "postgresql"])
def test_a_server_that_says_nothing_is_left(scheme: str, silent: str, environment: pytest.MonkeyPatch) -> None:
    assert "it does not answer" in reject(f"{scheme}://{silent}", environment)


def test_a_name_that_nobody_knows(environment: pytest.MonkeyPatch) -> None:
    assert "[Errno -" in reject("http://no.such.host.invalid", environment)


def test_the_environment_is_as_it_was_after_a_command(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    environment.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "77")
    with patience.impatient():
        assert os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"] == "77"
        assert os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] == "0"
    assert "MLFLOW_HTTP_REQUEST_MAX_RETRIES" not in os.environ


# Databases


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database that MLflow made."""
    file = tmp_path_factory.mktemp("made") / "mlflow.db"
    client = mlflow.MlflowClient(f"sqlite:///{file}")
    client.search_experiments(max_results=1)
    return file


@pytest.fixture
def database(made: Path, tmp_path: Path) -> Path:
    """A copy of it that may be changed."""
    return Path(shutil.copy(made, tmp_path))


def change(file: Path, statement: str) -> None:
    with contextlib.closing(sqlite3.connect(file)) as connection:
        connection.execute(statement)
        connection.commit()


def test_a_database_that_mlflow_made_is_used(database: Path, environment: pytest.MonkeyPatch) -> None:
    environment.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{database}")
    with tracking.existing_store():
        assert tracking.find_versions("nothing") == []


@pytest.mark.parametrize(
    ("version", "sentence"),
    [
        ("bd07f7e963c5", "an older MLflow made its tables (bd07f7e963c5): back it up and run `mlflow db upgrade`"),
        ("ffffffffffff", f"a newer MLflow than {mlflow.__version__} made its tables (ffffffffffff): install that"),
    ],
)
def test_another_mlflows_schema_is_said(
    version: str, sentence: str, database: Path, environment: pytest.MonkeyPatch
) -> None:
    change(database, f"UPDATE alembic_version SET version_num = '{version}'")
    assert reject(f"sqlite:///{database}", environment).startswith(sentence)


def test_a_database_without_mlflows_version_is_said(database: Path, environment: pytest.MonkeyPatch) -> None:
    change(database, "DELETE FROM alembic_version")
    assert "its tables are not MLflow's" in reject(f"sqlite:///{database}", environment)


def test_a_file_that_is_no_database(tmp_path: Path, environment: pytest.MonkeyPatch) -> None:
    (tmp_path / "mlflow.db").write_text("this is text\n" * 100)
    assert "the file is not an SQLite database" in reject(f"sqlite:///{tmp_path}/mlflow.db", environment)


@pytest.mark.parametrize(
    ("uri", "sentence"),
    [
        ("sqlite:///{}", "it is a folder: name a file in it, such as mlflow.db"),
        ("sqlite://", "it is kept in memory only: name a file, such as sqlite:///mlflow.db"),
        ("sqlite:///:memory:", "it is kept in memory only: name a file, such as sqlite:///mlflow.db"),
        ("file://{}/mlruns", "MLflow no longer keeps runs in a folder: name a database, such as sqlite:///mlflow.db"),
        ("nonsense", "MLflow no longer keeps runs in a folder"),
        ("nonsense://x", "Model registry functionality is unavailable; got unsupported URI 'nonsense://x'"),
        ("databricks-uc", "Detected Unity Catalog tracking URI"),
    ],
)
def test_an_address_that_is_none(uri: str, sentence: str, tmp_path: Path, environment: pytest.MonkeyPatch) -> None:
    assert reject(uri.format(tmp_path), environment).startswith(sentence)


def test_a_store_that_is_not_there_is_not_made(tmp_path: Path, environment: pytest.MonkeyPatch) -> None:
    assert "there is no MLflow store yet" in reject(f"sqlite:///{tmp_path}/a/mlflow.db", environment)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("kind", "changing"), [("EXCLUSIVE", False), ("IMMEDIATE", True)])
def test_a_locked_database_is_said(kind: str, changing: bool, database: Path, environment: pytest.MonkeyPatch) -> None:
    with contextlib.closing(sqlite3.connect(database, isolation_level=None)) as other:
        other.execute(f"BEGIN {kind}")
        assert "another process is writing to it" in reject(f"sqlite:///{database}", environment, changing)


def test_a_database_that_is_only_written_to_can_be_read(database: Path, environment: pytest.MonkeyPatch) -> None:
    environment.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{database}")
    with contextlib.closing(sqlite3.connect(database, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with tracking.existing_store(changing=False):
            assert tracking.find_versions("nothing") == []


# Commands


@pytest.mark.slow
@pytest.mark.parametrize("command", [["train"], ["compare"], ["promote", "1"], ["rollback"]])
def test_every_command_says_it(command: list[str], stub: str, tmp_path: Path) -> None:
    done = run(
        "-m", "ekiben.commands", *command, fails=True,
        MLFLOW_TRACKING_URI=f"http://{stub}/401", BENTOML_HOME=str(tmp_path),
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr == f"error: the MLflow store http://{stub}/401 can't be used: {ANSWERS[1][1]}\n"


@pytest.mark.slow
def test_two_processes_make_the_tables_at_once(tmp_path: Path) -> None:
    code = (
        "import sys; from ekiben.training.registry import tracking\n"
        "sys.stdin.readline(); tracking.connect(); tracking.open_store('e'); print(tracking.find_versions('m'))"
    )
    environment = os.environ | {"MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path}/mlflow.db"}
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", code],
            cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for _ in range(3)
    ]  # fmt: skip
    for process in processes:
        assert process.stdin
        process.stdin.write("\n")
        process.stdin.flush()
    for process in processes:
        printed, errors = process.communicate(timeout=120)
        assert (process.returncode, printed) == (0, "[]\n"), errors
