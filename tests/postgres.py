"""A PostgreSQL of the tests' own."""

import glob
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.conftest import free_port, wait_until

POSTGRES = next(iter(sorted(glob.glob("/usr/lib/postgresql/*/bin"), reverse=True)), None)
NEEDS_POSTGRES = [pytest.mark.slow, pytest.mark.skipif(not POSTGRES, reason="PostgreSQL is not installed")]


@contextmanager
def stopped_at_the_end(*command: str) -> Iterator[None]:
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            yield
        finally:
            process.terminate()


@contextmanager
def running_postgres(user: str, password: str) -> Iterator[str]:
    """Start one that takes a password; yield its host and port."""
    port = free_port()
    folder = Path("/tmp") / f"ekiben-postgres-{os.getpid()}-{port}"  # a short path: it holds a socket
    folder.mkdir()
    as_postgres = ["runuser", "-u", "postgres", "--"] if os.getuid() == 0 else []
    if as_postgres:
        shutil.chown(folder, "postgres")
    (folder / "password").write_text(password)
    data = folder / "data"
    initialise = ["initdb", "-D", str(data), "-U", user, "-A", "scram-sha-256", f"--pwfile={folder}/password"]
    subprocess.run([*as_postgres, f"{POSTGRES}/{initialise[0]}", *initialise[1:]], check=True, capture_output=True)
    serve = [f"{POSTGRES}/postgres", "-D", str(data), "-p", str(port), "-k", str(folder), "-h", "127.0.0.1"]
    try:
        with stopped_at_the_end(*as_postgres, *serve):
            ready = [f"{POSTGRES}/pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port)]
            wait_until(lambda: subprocess.run(ready, check=False).returncode == 0)
            yield f"127.0.0.1:{port}"
    finally:
        shutil.rmtree(folder, ignore_errors=True)
