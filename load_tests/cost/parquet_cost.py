"""What a Parquet body costs: `ekiben parquet`.

The newest packed model's example, so many times, is read as `/invocations` reads it, without HTTP and without the
network: the CPU time is that of this process and of the one that reads.
"""

import asyncio
import io
import resource
import time
from dataclasses import dataclass

import pandas as pd

from ekiben.contract.schema import Schema
from ekiben.load_tests.machine import describe_machine
from ekiben.model.store import find_model, open_stored
from ekiben.service.environment import read_settings
from ekiben.service.protocols.invocations.parquet_form import ParquetReader

ROWS = (1, 64, 5_000)
TIMEOUT_S = 60.0


@dataclass(frozen=True)
class Cost:
    """What a body of so many rows cost, at the median and on average."""

    rows: int
    bytes: int
    milliseconds: float
    cpu_ms: float


def run(seconds: float) -> None:
    """Print a line for each size."""
    schema = open_stored(find_model(read_settings().model_name)).schema
    print(f"{describe_machine()}\n\n| rows | bytes | p50 ms | CPU ms |\n|--:|--:|--:|--:|")
    for rows in ROWS:
        cost = asyncio.run(measure(schema, rows, seconds))
        print(f"| {cost.rows:,} | {cost.bytes:,} | {cost.milliseconds:.1f} | {cost.cpu_ms:.1f} |")


async def measure(schema: Schema, rows: int, seconds: float) -> Cost:
    """Read the same body again and again."""
    body = write(schema, rows)
    reader = ParquetReader(schema, max(ROWS), read_settings().max_body_bytes, lambda rows: None)
    before, began, waits = read_cpu_s(), time.perf_counter(), []
    while time.perf_counter() - began < seconds:
        started = time.perf_counter()
        await reader.read(body, TIMEOUT_S)
        waits.append(time.perf_counter() - started)
    reader.close()
    await asyncio.get_running_loop().shutdown_default_executor()  # which waits for the process that reads to end
    milliseconds = 1000 * sorted(waits)[len(waits) // 2]
    return Cost(rows, len(body), milliseconds, 1000 * (read_cpu_s() - before) / len(waits))


def write(schema: Schema, rows: int) -> bytes:
    """Return the example as pandas writes it."""
    table = pd.DataFrame([schema.example] * rows)
    for feature in schema.timestamps:
        table[feature.name] = pd.to_datetime(table[feature.name])
    output = io.BytesIO()
    table.to_parquet(output)
    return output.getvalue()


def read_cpu_s() -> float:
    """Return the CPU time of this process and of those it started that have ended."""
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in used)
