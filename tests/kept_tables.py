"""Tables with a column of every kind, as files that a problem reads."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow import parquet

from ekiben.training.problem import ProblemConfig
from ekiben.training.tables.read import Table, read_table
from ekiben.training.versions.digest import GROUP_ROWS

ROWS = GROUP_ROWS + 1000
FEATURES: dict[str, dict[str, Any]] = {
    "amount": {"kind": "number"},
    "city": {"kind": "category"},
    "code": {"kind": "category"},
    "paid": {"kind": "boolean"},
    "seen": {"kind": "timestamp"},
    "sent": {"kind": "timestamp", "zoned": True},
}
CITIES = ["Zürich", "Genève", "ب۲", "", "東京", "e\u0301", "é", None]


@cache
def make_rows(rows: int = ROWS, seed: int = 0) -> pa.Table:
    """Return a row of every kind after the other, nulls and odd values among them."""
    random = np.random.default_rng(seed)
    moments = random.integers(-(10**9), 2 * 10**9, rows)
    table = {
        "amount": pa.array(random.normal(size=rows).astype(np.float32), mask=random.random(rows) < 0.1),
        "city": pa.array([CITIES[index] for index in random.integers(0, len(CITIES), rows)]),
        "code": pa.array([f"{number:05}" for number in random.integers(0, 3000, rows)]),
        "paid": pa.array([(True, False, None)[index] for index in random.integers(0, 3, rows)]),
        "seen": pa.array(moments, pa.timestamp("s"), mask=random.random(rows) < 0.1),
        "sent": pa.array(moments, pa.timestamp("s", tz="UTC"), mask=random.random(rows) < 0.1),
        "late": pa.array(random.random(rows) < 0.3),
    }
    return pa.table(table)


def make_problem(path: Path, target: str = "late", task: str = "binary", **changes: Any) -> ProblemConfig:
    """Return the problem of a file with these rows."""
    given = {
        "name": "kept",
        "source": {"path": path},
        "target": {"name": target, "task": task},
        "features": {name: facts for name, facts in FEATURES.items() if name != target},
    }
    return ProblemConfig.model_validate(given | changes)


def write(path: Path, rows: pa.Table, **options: Any) -> Path:
    """Write rows as a Parquet file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(rows, path, **options)
    return path


def read(problem: ProblemConfig) -> Table:
    """Read a problem's table."""
    return read_table(problem, lambda share: None)


def assert_same_bits(one: pd.DataFrame, other: pd.DataFrame) -> None:
    """Check names, order, types, categories and their order, and every bit of every value."""
    assert list(one) == list(other)
    pd.testing.assert_index_equal(one.index, other.index, exact=True)
    for name in one:
        first, second = one[name], other[name]
        assert first.dtype == second.dtype
        if isinstance(first.dtype, pd.CategoricalDtype):
            assert [*map(repr, first.cat.categories)] == [*map(repr, second.cat.categories)]
            assert first.cat.codes.dtype == second.cat.codes.dtype
            first, second = first.cat.codes, second.cat.codes
        assert first.isna().equals(second.isna())
        assert to_bytes(first) == to_bytes(second)


def to_bytes(column: "pd.Series") -> bytes:
    """Return a column's values as they are in memory; booleans with false where there is none."""
    if isinstance(column.dtype, pd.BooleanDtype):
        column = column.fillna(False).astype(bool)
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        column = column.dt.tz_localize(None)
    return bytes(column.to_numpy().tobytes())


def list_files(folder: Path, pattern: str = "groups/*/*.parquet") -> Sequence[Path]:
    """Return the files of rows that are kept in a folder."""
    return sorted(folder.glob(pattern))
