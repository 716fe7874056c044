"""A row log and labels as the service writes them."""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import parquet

MONDAY = datetime(2026, 11, 2, tzinfo=UTC)
MOMENT = pa.timestamp("us", tz="UTC")


def spread(rows: int, days: int = 28) -> list[datetime]:
    """Return when rows were answered: evenly over days, from a Monday on."""
    return [MONDAY + timedelta(days=days) * index / rows for index in range(rows)]


def name_rows(rows: int) -> list[str]:
    return [f"{index // 4:x}/{index % 4}" for index in range(rows)]


def write_rows(
    folder: Path,
    answers: np.ndarray,
    features: Mapping[str, Any] | None = None,
    *,
    ids: Sequence[str] | None = None,
    times: Sequence[datetime] | None = None,
    version: str = "1",
    share: float = 1.0,
    classes: Sequence[str] = (),
    target: str = "late",
    number: int = 0,
    bounds: np.ndarray | None = None,
) -> Path:
    """Write one part; `answers` are (rows,), or (rows, classes), `bounds` (rows, 2) of a regression."""
    rows = len(answers)
    named = {f"answer.{name}": answers[:, index] for index, name in enumerate(classes)} or {"answer": answers}
    if bounds is not None:
        named |= {"answer.low": bounds[:, 0], "answer.high": bounds[:, 1]}
    columns = {
        "prediction_id": pa.array(ids or name_rows(rows), pa.string()),
        "time": pa.array(times or spread(rows), MOMENT),
        "version": pa.array([version] * rows, pa.string()),
        "share": pa.array(np.full(rows, share)),
        **{name: pa.array(values) for name, values in (features or {}).items()},
        **{name: pa.array(np.asarray(values, np.float64)) for name, values in named.items()},
    }
    table = pa.table(columns).replace_schema_metadata({"ekiben.schema": "0" * 64, "ekiben.target": target})
    path = folder / f"rows-{version}-20261102T000000Z-17-{number}.parquet"
    parquet.write_table(table, path)
    return path


def write_labels(
    folder: Path,
    ids: Sequence[str],
    labels: Sequence[Any],
    times: Sequence[datetime],
    number: int = 0,
    target: str = "",
) -> Path:
    """Write one part of labels, as JSON text or as numbers."""
    given = pa.array(labels) if isinstance(labels[0], float) else pa.array([json.dumps(label) for label in labels])
    table = pa.table({"prediction_id": list(ids), "label": given, "time": pa.array(times, MOMENT)})
    if target:
        table = table.replace_schema_metadata({"ekiben.target": target})
    path = folder / f"labels-20261103T000000Z-17-{number}.parquet"
    parquet.write_table(table, path)
    return path


def later(times: Sequence[datetime], days: float) -> list[datetime]:
    return [time + timedelta(days=days) for time in times]


def split_rows(rows: int, parts: int) -> Iterator[slice]:
    """Yield the rows of each part."""
    edges = np.linspace(0, rows, parts + 1).astype(int).tolist()
    yield from map(slice, edges[:-1], edges[1:])
