"""No command prints a secret of the store's or a database's address, whatever is wrong with it."""

import base64
import logging
import os
import threading
import traceback
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import mlflow
import pytest

from ekiben.contract.errors import InvalidTable
from ekiben.training.redaction import redact, redact_json, redact_uri
from ekiben.training.registry import store, tracking
from ekiben.training.source_config import SqlSource
from ekiben.training.sources import find_source, open_source
from tests.conftest import run

SECRET = "hunter2"


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("http://user:hunter2@host:80/x", "http://…@host:80/x"),
        ("http://user:hun/ter2@host", "http://…@host"),
        ("http://user:hun?ter2@host", "http://…@host"),
        ("http://user:hun@ter2@host", "http://…@host"),
        ("http://user:hun#ter2@host", "http://…@host"),
        ("https://hunter2@host", "https://…@host"),
        ("https://:hunter2@host", "https://…@host"),
        ("https://user%3Ahunter2@host", "https://…@host"),
        ("https://host?password=hunter2", "https://host?password=…"),
        ("https://host/x?a=1&token=hunter2&b=2", "https://host/x?a=1&token=…&b=2"),
        ("https://host/x?API_KEY=hunter2;sslpassword=hunter2", "https://host/x?API_KEY=…;sslpassword=…"),
        ("https://host/x?pass%77ord=hunter2", "https://host/x?pass%77ord=…"),
        ("https://host/#hunter2", "https://host/#…"),
        ("postgresql+psycopg://user:hunter2@host/x?sslmode=require", "postgresql+psycopg://…@host/x?sslmode=require"),
        ("postgresql:///x?user=me&password=hunter2", "postgresql:///x?user=me&password=…"),
        ("postgresql:/user:hunter2@host", "postgresql:/…@host"),
        ("//user:hunter2@host", "//…@host"),
        ("user:hunter2@host", "user:…@host"),
        ("https://user:hunter2@", "https://…@"),
        ("sqlite:///x.db?key=1&password=hunter2", "sqlite:///x.db?key=1&password=…"),
    ],
)
def test_an_address_is_shown_without_its_secrets(uri: str, shown: str) -> None:
    assert redact_uri(uri) == shown
    said = redact(f"can't use {uri!r}, or {uri}", uri)
    assert "hun" not in said
    assert "ter2" not in said


@pytest.mark.parametrize(
    "uri",
    ["http://host:80/x", "sqlite:////home/me@work/a#b.db", "file:///home/me@work/x", "postgresql://host/x?passfile=y"],
)
def test_an_address_without_secrets_is_shown_as_it_is(uri: str) -> None:
    assert redact_uri(uri) == uri
    assert redact(f"can't use {uri}", uri) == f"can't use {uri}"


@pytest.mark.parametrize("form", ["p@ss w/rd", "p%40ss%20w/rd", "p%40ss%20w%2Frd", "p%40ss+w%2Frd"])
def test_a_secret_is_hidden_however_a_message_spells_it(form: str) -> None:
    assert redact(f"no: {form}!", "postgresql://user:p%40ss%20w%2Frd@host/x") == "no: …!"


@pytest.mark.parametrize(
    "variable",
    ["MLFLOW_TRACKING_TOKEN", "MLFLOW_TRACKING_PASSWORD", "DATABASE_PASSWORD", "OPENLINEAGE_API_KEY",
     "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"],
)  # fmt: skip
def test_the_secrets_of_the_environment_are_hidden(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, SECRET)
    assert redact(f"the header was Bearer {SECRET}") == "the header was Bearer …"


def test_the_user_of_a_database_is_no_secret() -> None:
    said = "password authentication failed for user ann"
    assert redact(said, "postgresql://ann@host/x") == redact(said, "postgresql://ann:pw@host/x") == said


@pytest.mark.parametrize(
    "table",
    [
        "https://user:hunter2@host/a.csv",
        "https://host/a.csv?token=hunter2",
        "postgresql:/user:hunter2@host/d",
        "//user:hunter2@host/d",
    ],
)
@pytest.mark.parametrize("query", [None, "SELECT 1"])
def test_a_table_that_can_not_be_found_is_named_without_its_secrets(table: str, query: str | None) -> None:
    with pytest.raises(InvalidTable) as rejected:
        find_source(table, query)
    assert SECRET not in str(rejected.value)
    assert "…" in str(rejected.value)


@pytest.mark.parametrize("option", ["password", "sslpassword", "token"])
def test_a_database_repeats_no_option(option: str) -> None:
    with pytest.raises(InvalidTable) as rejected:
        open_source(SqlSource(url=f"postgresql://127.0.0.1:1/d?{option}={SECRET}", query="SELECT 1"))
    assert SECRET not in str(rejected.value)


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """An environment that may name any store; it and MLflow are as they were after the test."""
    for name in (store.USER_VARIABLE, store.PASSWORD_VARIABLE, store.QUIET_VARIABLE):
        monkeypatch.setenv(name, "")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", before := os.environ["MLFLOW_TRACKING_URI"])
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    yield monkeypatch
    mlflow.set_tracking_uri(before)
    for handler in logging.getLogger("mlflow").handlers:
        handler.filters.clear()


WRONG = [
    ("http://user:hun/ter2@127.0.0.1:1", "http://…@127.0.0.1:1 can't be used: its address can't be read"),
    ("http://hun/ter2@127.0.0.1:1", "where @ : / ? # % in a user or password are %40 %3A %2F %3F %23 %25"),
    ("http://user:hun?ter2@127.0.0.1:1", "its address can't be read"),
    ("http:///nowhere?token=hunter2", "its address can't be read"),
    ("http://127.0.0.1:1?token=hunter2", "MLflow takes no ? or # in a server's address: set MLFLOW_TRACKING_TOKEN"),
    ("http://127.0.0.1:1/#hunter2", "MLflow takes no ? or # in a server's address"),
    ("http://user:hunter2@127.0.0.1:1", "http://…@127.0.0.1:1 can't be used: [Errno 111] Connection refused"),
    ("https://hunter2:@127.0.0.1:1", "https://…@127.0.0.1:1 can't be used: [Errno 111] Connection refused"),
    ("https://hunter2@127.0.0.1:1", "MLflow sends no user without a password: set MLFLOW_TRACKING_TOKEN to a token"),
    ("postgresql://user:hunter2@127.0.0.1:port/x", "its address can't be read"),
    ("postgresql://user:hun/ter2@127.0.0.1:1/x", "postgresql://…@127.0.0.1:1/x can't be used: [Errno 111]"),
    ("postgresql://127.0.0.1:1/x?password=hunter2", "postgresql://127.0.0.1:1/x?password=… can't be used"),
    ("colour://user:hunter2@nowhere/x", "colour://…@nowhere/x"),
    ("user:hunter2@nowhere", "user:…@nowhere"),
]


@pytest.mark.parametrize(("uri", "said"), WRONG)
def test_a_store_that_can_not_be_used_is_one_sentence_without_its_secrets(
    uri: str, said: str, environment: pytest.MonkeyPatch
) -> None:
    environment.setenv("MLFLOW_TRACKING_URI", uri)
    with pytest.raises(store.StoreUnreachable) as rejected, tracking.existing_store():
        tracking.find_versions("nothing")
    assert said in str(rejected.value)
    shown = "".join(traceback.format_exception(rejected.value))
    assert "hun" not in shown
    assert "ter2" not in shown


class Echo(BaseHTTPRequestHandler):
    """A tracking server that lets nobody in, and repeats what it was sent."""

    def do_GET(self) -> None:
        scheme, _, login = self.headers.get("authorization", "none").partition(" ")
        given = base64.b64decode(login).decode() if scheme == "Basic" else login
        body = f'{{"error_code": "PERMISSION_DENIED", "message": "{scheme} {given} may not {self.path}"}}'.encode()
        self.send_response(403)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@pytest.fixture(scope="module")
def echo() -> Iterator[str]:
    """The host and port of a server that repeats the login."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Echo) as server:
        threading.Thread(target=server.serve_forever).start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize(
    ("login", "variables", "said"),
    [
        ("user:hunter2@", {}, "Basic user:… may not"),
        ("user:hunt%65r%32@", {}, "Basic user:… may not"),
        ("hunter2:@", {}, "Basic …: may not"),
        (":hunter2@", {}, "Basic … may not"),
        ("", {"MLFLOW_TRACKING_TOKEN": "hunter2"}, "Bearer … may not"),
        ("", {"MLFLOW_TRACKING_USERNAME": "user", "MLFLOW_TRACKING_PASSWORD": "hunter2"}, "Basic user:… may not"),
    ],
)
def test_a_server_gets_the_login_and_nobody_is_shown_it(
    echo: str, login: str, variables: dict[str, str], said: str, environment: pytest.MonkeyPatch
) -> None:
    for name, value in {**variables, "MLFLOW_TRACKING_URI": f"http://{login}{echo}"}.items():
        environment.setenv(name, value)
    with pytest.raises(store.StoreUnreachable) as rejected, tracking.existing_store():
        tracking.find_versions("nothing")
    assert said in str(rejected.value)
    assert SECRET not in str(rejected.value)


def test_a_login_is_no_part_of_the_address_that_mlflow_prints(echo: str, environment: pytest.MonkeyPatch) -> None:
    environment.setenv("MLFLOW_TRACKING_URI", f"http://us%65r:p%40ss@{echo}/base")
    assert store.choose_store() == mlflow.get_tracking_uri() == f"http://{echo}/base"
    assert (os.environ[store.USER_VARIABLE], os.environ[store.PASSWORD_VARIABLE]) == ("user", "p@ss")
    assert not os.environ[store.QUIET_VARIABLE]
    assert store.choose_store() == f"http://{echo}/base"  # a second time too


def test_an_address_that_must_keep_a_token_is_not_printed(echo: str, environment: pytest.MonkeyPatch) -> None:
    environment.setenv("MLFLOW_TRACKING_URI", f"http://{SECRET}:@{echo}")
    assert store.choose_store() == f"http://{SECRET}:@{echo}"
    assert os.environ[store.QUIET_VARIABLE] == "true"
    record = logging.LogRecord(
        "mlflow", logging.WARNING, "", 0, "can't reach %s", (f"http://{SECRET}:@{echo}/x",), None
    )
    assert all(handler.filter(record) for handler in logging.getLogger("mlflow").handlers)
    assert record.getMessage() == "can't reach http://…@" + echo + "/x"


@pytest.mark.slow
@pytest.mark.parametrize("command", [["train"], ["compare"], ["promote", "1"], ["rollback"]])
def test_no_command_shows_a_secret(command: list[str], echo: str, tmp_path: Path) -> None:
    uri = f"http://user:{SECRET}@{echo}"
    done = run("-m", "ekiben.training", *command, fails=True, MLFLOW_TRACKING_URI=uri, BENTOML_HOME=str(tmp_path))
    assert done.returncode == 2
    assert "error: the MLflow store" in done.stderr
    assert "may not" in done.stderr
    assert SECRET not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_not_even_a_traceback_shows_a_secret() -> None:
    """What no code expects is printed as Python does, without what the environment holds."""
    broken = "import sys, ekiben.training.__main__ as m; m.main = lambda: {}[sys.argv[1]]; sys.exit(m.run_process())"
    uri = f"postgresql://user:{SECRET}@host/x"
    done = run("-c", broken, uri, fails=True)
    assert "KeyError: 'postgresql://…@host/x'" in done.stderr
    assert SECRET not in done.stderr


def test_json_is_redacted_throughout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    assert redact_json({"said": [f"with {SECRET} # twice", 3, None]}) == {"said": ["with … # twice", 3, None]}
    assert redact_json({SECRET: {"b": (True,)}}) == {"…": {"b": [True]}}
    assert redact_json("https://u:pw word@a/x") == "https://…@a/x"
    assert redact_json("from https://u:pw@a/x, and https://tok@b/y") == "from https://…@a/x, and https://…@b/y"
    assert redact_json(["ann:pw@host"], "postgresql://ann:pw@host/x") == ["…@host"]
