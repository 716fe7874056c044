"""The tables of an MLflow database: made once, also where two trainings are the first at the same moment."""

import contextlib
import fcntl
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path

from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient
from sqlalchemy.exc import SQLAlchemyError

MEMORY, SQLITE = "sqlite://", "sqlite:///"  # without a path SQLite keeps a database in memory
MADE_MEANWHILE = re.compile("exist|duplicate|unique", re.IGNORECASE)  # what databases say of a table that is there
ATTEMPTS, PAUSE_S = 10, 1.0


def find_file(uri: str) -> Path | None:
    """Return the file of an SQLite store, which is "." for one in memory; None for any other store."""
    if not uri.startswith(MEMORY):
        return None
    path = uri.removeprefix(MEMORY).removeprefix("/").partition("?")[0]
    return Path(path.removeprefix(":memory:"))


@contextlib.contextmanager
def alone(uri: str) -> Iterator[None]:
    """Wait until no other process of this machine is in here with the same SQLite file.

    The lock is the folder's, so nothing is left behind. Of a server or another database it holds nothing.
    """
    file = find_file(uri)
    if file is None or not file.parent.is_dir():
        yield
        return
    folder = os.open(file.parent, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # on a file system without locks
            fcntl.flock(folder, fcntl.LOCK_EX)  # which the end of the process releases too
        yield
    finally:
        os.close(folder)


def make_tables(uri: str) -> None:
    """Let MLflow make the tables that are missing from a database; what a server has is its own matter."""
    if uri.startswith(("http:", "https:", "databricks")):
        return
    for attempt in range(1, ATTEMPTS + 1):
        try:
            with alone(uri):
                MlflowClient().search_experiments(max_results=1)
                MlflowClient().search_registered_models(max_results=1)
            return
        except (MlflowException, SQLAlchemyError) as error:
            if attempt == ATTEMPTS or not MADE_MEANWHILE.search(str(error)):
                raise
        time.sleep(PAUSE_S)
