"""What a table's digest and a copy of it cost: `ekiben tables`.

The flights, as two Parquet files of a folder, are read, hashed, kept and loaded, in CPU time of this process; then a
file comes to the folder, of which only the new rows are hashed and kept.
"""

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import parquet

from ekiben.load_tests.machine import describe_machine
from ekiben.model.home import PROJECT_VARIABLE
from ekiben.training.problem import BUILT_IN, ProblemConfig, read_problem
from ekiben.training.source_config import FileSource
from ekiben.training.sources.flights import load_flights
from ekiben.training.tables.read import Table, read_table
from ekiben.training.versions.folder import VARIABLE as TABLES_VARIABLE
from ekiben.training.versions.known import SETTLED_S
from ekiben.training.versions.snapshots import keep_table, load_table

HELD_BACK = 20_000  # rows of the file that comes later


def run() -> None:
    """Print a line for each step."""
    with tempfile.TemporaryDirectory() as folder, _home(Path(folder)):
        files = Path(folder) / "flights"
        rows = pa.Table.from_pandas(load_flights(lambda share: None), preserve_index=False)
        half = (len(rows) - HELD_BACK) // 2
        write(files / "a.parquet", rows.slice(0, half))
        write(files / "b.parquet", rows.slice(half, half))
        time.sleep(SETTLED_S)  # before that no file is known
        problem = read_problem(BUILT_IN).model_copy(update={"source": FileSource(path=files)})
        print(f"{describe_machine()}\n\n| step | rows | groups hashed | CPU ms | ns/row |\n|---|--:|--:|--:|--:|")
        measure(problem)
        write(files / "c.parquet", rows.slice(2 * half))
        measure(problem, ", grown")
        size = sum(path.stat().st_size for path in Path(folder).rglob("groups/*/*.parquet"))
        print(f"\nboth versions together: {size / 2**20:.1f} MiB; in memory {rows.nbytes / 2**20:.0f} MiB")


def measure(problem: ProblemConfig, when: str = "") -> None:
    """Print what each step of a table's life costs."""
    table: Table = _print(f"read{when}", lambda: read_table(problem, lambda share: None))
    _print(f"digest{when}", lambda: table.fingerprint and table)
    _print(f"keep{when}", lambda: keep_table(table) and table)
    _print(f"load{when}", lambda: load_table(problem, table.digest))


def write(path: Path, rows: pa.Table) -> None:
    """Write a Parquet file."""
    path.parent.mkdir(exist_ok=True)
    parquet.write_table(rows, path)


def _print(step: str, do: Callable[[], Any]) -> Any:
    began = time.process_time()
    table = do()
    seconds = time.process_time() - began
    rows = len(table.frame)
    hashed = len(table.fingerprint.groups) - table.fingerprint.known if step.startswith("digest") else ""
    print(f"| {step} | {rows:,} | {hashed} | {1e3 * seconds:.0f} | {1e9 * seconds / rows:.0f} |")
    return table


@contextmanager
def _home(folder: Path) -> Iterator[None]:
    """Let the state be in a folder."""
    before = {name: os.environ.pop(name, None) for name in (PROJECT_VARIABLE, TABLES_VARIABLE)}
    os.environ[PROJECT_VARIABLE] = str(folder)
    try:
        yield
    finally:
        del os.environ[PROJECT_VARIABLE]
        os.environ.update({name: value for name, value in before.items() if value is not None})
