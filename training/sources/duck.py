"""DuckDB, which parses files: bounded in memory and threads, without a network, and with no file beside the table."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from ekiben.contract.errors import InvalidTable

MEMORY_VARIABLE = "EKIBEN_MEMORY"
_SHARE = 4  # of the container's memory: the table itself and the network need the rest


def connect(threads: int | None = None) -> duckdb.DuckDBPyConnection:
    """Open a database in memory; what does not fit there goes to the folder of temporary files.

    Raise InvalidTable if EKIBEN_MEMORY is no amount of memory.
    """
    connection = duckdb.connect(
        config={
            "threads": threads or _count_cpus(),
            "temp_directory": str(Path(tempfile.gettempdir()) / f"ekiben-{os.getpid()}"),  # else .tmp, where one is
            "autoinstall_known_extensions": False,  # they are downloaded
            "autoload_known_extensions": False,
        }
    )
    _bound_memory(connection)
    connection.execute("SET TimeZone = 'UTC'")
    return connection


def _count_cpus() -> int:
    """Return how many CPUs this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _bound_memory(connection: duckdb.DuckDBPyConnection) -> None:
    """Take what EKIBEN_MEMORY says, or a share of what DuckDB found: it knows the limit of its container."""
    said = os.environ.get(MEMORY_VARIABLE)
    try:
        connection.execute("SET memory_limit = ?", [said or f"{100 // _SHARE}%"])
    except duckdb.Error:
        raise InvalidTable(f"{MEMORY_VARIABLE} is {said!r}: write an amount of memory, such as 2GB") from None


@contextmanager
def bounded(path: Path) -> Iterator[None]:
    """Turn a lack of memory into InvalidTable."""
    try:
        yield
    except duckdb.OutOfMemoryException:
        raise InvalidTable(f"{path} needs more memory than {MEMORY_VARIABLE} allows: set it, such as 2GB") from None


def quote_name(name: str) -> str:
    """Return a column's name as SQL has it."""
    return '"' + name.replace('"', '""') + '"'
