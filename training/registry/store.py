"""MLflow's store: where it is, whether it lets us in, and what goes wrong there as one sentence without a secret."""

import contextlib
import logging
import os
import socket
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

import mlflow
import requests
import sqlalchemy
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from ekiben.contract.errors import UserError
from ekiben.training.home import DATA, find_data, make_folder
from ekiben.training.redaction import redact, redact_uri
from ekiben.training.registry.creation import SQLITE, alone, find_file
from ekiben.training.registry.patience import impatient, within
from ekiben.training.registry.reasons import find_reason

DATABASE = "mlflow.db"
DATABASE_PORTS = {"postgresql": 5432, "mysql": 3306, "mssql": 1433}
WEB_PORTS = {"http": 80, "https": 443}
CONNECT_TIMEOUT_S = 4
ANSWER_TIMEOUT_S = 5  # of everything that is asked before a store is used, names' look-up included
LOCKED_TIMEOUT_S = 3  # for another process to finish what it writes; MLflow's own is 20
USER_VARIABLE, PASSWORD_VARIABLE = "MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"
QUIET_VARIABLE = "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT"
ENCODED = "@ : / ? # % in a user or password are %40 %3A %2F %3F %23 %25"
STORE_ERRORS = (MlflowException, SQLAlchemyError, requests.RequestException)
CONNECT_ERRORS = (*STORE_ERRORS, OSError, ImportError, ValueError, sqlite3.Error)


class StoreUnreachable(UserError):
    """The tracking server or database does not answer, or its address can't be used."""


def read_uri() -> str:
    """Return the store's URI as it was given."""
    return os.environ.get("MLFLOW_TRACKING_URI") or embedded_uri()


def embedded_uri() -> str:
    """Return the URI of the database among the project's data, which is the store unless another is named."""
    return f"{SQLITE}{find_data() / DATABASE}"


def check_store(changing: bool = True) -> None:
    """Raise StoreUnreachable if the store does not let us in; none is made or changed.

    Whether one in a file can be changed is asked too, unless that is not the purpose.
    """
    uri = read_uri()
    if uri == embedded_uri():
        make_folder(DATA)
    file = find_file(uri)
    with as_user_error(*CONNECT_ERRORS):
        if file is None:
            within(ANSWER_TIMEOUT_S, lambda: _check_reachable(uri))
        else:
            with alone(uri):
                _check_sqlite(file, changing)


def choose_store() -> str:
    """Give MLflow the store's URI, and return it; a user and password in it go into variables of the environment.

    MLflow prints the URI with every run of a tracking server, and in its errors.
    """
    with as_user_error(ValueError):
        uri = _move_login(read_uri())
    mlflow.set_tracking_uri(uri)
    for noisy in ("alembic", "mlflow.store.db.utils"):  # which print tracebacks of what is raised as well
        logging.getLogger(noisy).setLevel(logging.CRITICAL)
    if redact_uri(uri) != uri:  # such as a token before an empty password, which no variable can stand for
        os.environ[QUIET_VARIABLE] = "true"
        for handler in logging.getLogger("mlflow").handlers:
            handler.addFilter(_redact_record)
    return uri


@contextlib.contextmanager
def as_user_error(*errors: type[Exception]) -> Iterator[None]:
    """Turn these errors, or else any of MLflow's, into StoreUnreachable."""
    caught = errors or STORE_ERRORS
    try:
        yield
    except caught as error:
        reason = redact(find_reason(error))
        raise StoreUnreachable(f"the MLflow store {redact_uri(read_uri())} can't be used: {reason}") from None


def _check_reachable(uri: str) -> None:
    """Raise one of CONNECT_ERRORS if the store does not let us in: MLflow would try again for minutes."""
    scheme = uri.partition(":")[0].lower().partition("+")[0]
    if scheme in WEB_PORTS:
        address = _split_web(uri)
        _connect(str(address.hostname), address.port or WEB_PORTS[scheme])
        _ask()
    elif scheme == "databricks":
        _ask()
    elif scheme in DATABASE_PORTS:
        _check_database(uri, DATABASE_PORTS[scheme])


def _ask() -> None:
    """Ask a server for one experiment and one model: that it is there does not mean that it lets us in."""
    choose_store()
    with impatient():
        MlflowClient().search_experiments(max_results=1)
        MlflowClient().search_registered_models(max_results=1)


def _check_sqlite(file: Path, changing: bool) -> None:
    if file == Path():
        raise ValueError("it is kept in memory only: name a file, such as sqlite:///mlflow.db")
    if file.is_dir():
        raise ValueError("it is a folder: name a file in it, such as mlflow.db")
    file.parent.mkdir(parents=True, exist_ok=True)
    if not file.exists():
        return
    mode = "rw" if changing else "ro"
    connected = sqlite3.connect(f"{file.absolute().as_uri()}?mode={mode}", LOCKED_TIMEOUT_S, uri=True)
    with contextlib.closing(connected) as database:
        database.execute("BEGIN IMMEDIATE" if changing else "BEGIN")
        database.execute("SELECT count(*) FROM sqlite_master")
        database.rollback()


def _check_database(uri: str, port: int) -> None:
    try:
        url = make_url(uri)
    except (ArgumentError, ValueError):
        raise _unreadable() from None
    if url.host:
        _connect(url.host, url.port or port)
        sqlalchemy.create_engine(url).connect().close()


def _connect(host: str, port: int) -> None:
    socket.create_connection((host, port), CONNECT_TIMEOUT_S).close()


def _split_web(uri: str) -> SplitResult:
    """Return a tracking server's address; raise ValueError, without a part of it, if MLflow can't call that."""
    try:
        address = urlsplit(uri)
        readable = address.hostname and address.port != 0 and "@" not in address.path + address.query
    except ValueError:  # its message may hold a part of a password
        raise _unreadable() from None
    if not readable:
        raise _unreadable()
    if address.query or address.fragment:
        raise ValueError("MLflow takes no ? or # in a server's address: set MLFLOW_TRACKING_TOKEN to a token")
    if address.username and address.password is None:
        raise ValueError("MLflow sends no user without a password: set MLFLOW_TRACKING_TOKEN to a token")
    return address


def _unreadable() -> ValueError:
    return ValueError(f"its address can't be read: it is written scheme://user:password@host:port, where {ENCODED}")


def _move_login(uri: str) -> str:
    """Return a tracking server's URI without user and password, after putting them where MLflow looks too."""
    if uri.partition(":")[0].lower() not in WEB_PORTS:
        return uri
    address = _split_web(uri)
    if not address.username or not address.password:
        return uri
    os.environ[USER_VARIABLE], os.environ[PASSWORD_VARIABLE] = unquote(address.username), unquote(address.password)
    return address._replace(netloc=address.netloc.rpartition("@")[2]).geturl()


def _redact_record(record: logging.LogRecord) -> bool:
    record.msg, record.args = redact(record.getMessage()), ()
    return True
