"""What goes wrong with an MLflow store, in words that say what to do."""

import re
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path

import mlflow
import requests
from mlflow.exceptions import MlflowException

LOGIN = "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN"
STATUSES = {
    401: f"it asks for a login (401 Unauthorized): {LOGIN}",
    403: f"this login may not use it (403 Forbidden): {LOGIN}, of a user who may",
    404: "no MLflow server answers at this address (404 Not Found): check the address and its path",
}
MIGRATIONS = Path(mlflow.__file__).parent / "store" / "db_migrations" / "versions"
SAYS_GONE = re.compile(r"\b404\b|NoSuchKey")  # of a server's artifacts, and of S3's
DRIVER = re.compile(r"\((?:\w+\.)+\w+\) ")  # such as (sqlite3.OperationalError), before its words


def find_reason(error: Exception) -> str:
    """Return one line that says why a store can't be used."""
    text = str(error)
    for pattern, explain in REASONS.items():
        if found := re.search(pattern, text):
            return explain(found)
    line = next((line.strip() for line in text.splitlines() if line.strip()), type(error).__name__)
    return DRIVER.sub("", line, count=1)


def says_gone(error: Exception) -> bool:
    """Return whether an artifact store says that nothing is there, and not that it can't be asked."""
    if isinstance(error, MlflowException):
        return error.error_code == "RESOURCE_DOES_NOT_EXIST" or SAYS_GONE.search(str(error)) is not None
    if isinstance(error, requests.HTTPError):
        return error.response is not None and error.response.status_code == HTTPStatus.NOT_FOUND
    return isinstance(error, FileNotFoundError)


def _explain_status(found: re.Match[str]) -> str:
    status = int(found[1])
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = ""
    later = ": try again later" if status >= 500 or status == HTTPStatus.TOO_MANY_REQUESTS else ""
    return STATUSES.get(status) or f"it answers {status} {phrase}".rstrip() + later


def _explain_schema(found: re.Match[str]) -> str:
    version, ours = found[1], mlflow.__version__
    if version == "None":
        return "its tables are not MLflow's, or were left half made: name another database"
    if any(MIGRATIONS.glob(f"{version}_*")):
        return f"an older MLflow made its tables ({version}): back it up and run `mlflow db upgrade` with its address"
    return f"a newer MLflow than {ours} made its tables ({version}): install that MLflow, or name another database"


def _say(text: str) -> Callable[[re.Match[str]], str]:
    return lambda _: text


REASONS: dict[str, Callable[[re.Match[str]], str]] = {
    r"failed with error code (\d+) != 200\. Response body": _explain_status,
    r"too many (\d+) error responses": _explain_status,
    r"not in a valid JSON format": _say(
        f"it answers with a page, not as MLflow does: check the address, or if it is a login page, {LOGIN}"
    ),
    r"CERTIFICATE_VERIFY_FAILED": _say(
        "its certificate is not trusted: set MLFLOW_TRACKING_SERVER_CERT_PATH to its authority's"
    ),
    r"WRONG_VERSION_NUMBER|RECORD_LAYER_FAILURE": _say("it does not speak TLS: write http:// instead of https://"),
    r"[Tt]imed out|Timeout": _say("it does not answer in time: try again later"),
    r"found version (\w+), but expected": _explain_schema,
    r"Can't locate revision identified by '(\w+)'": _explain_schema,
    r"database is locked": _say("another process is writing to it and holds it locked: try again when that has ended"),
    r"file is not a database": _say(
        "the file is not an SQLite database: name another one, such as sqlite:///mlflow.db"
    ),
    r"filesystem tracking backend": _say(
        "MLflow no longer keeps runs in a folder: name a database, such as sqlite:///mlflow.db "
        "(`mlflow migrate-filestore` moves what is there)"
    ),
}
