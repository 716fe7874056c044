"""Reads what the row log wrote, with a library that is not the one it writes with."""

import re
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq

ROWS = re.compile(r"rows-[\w.]+-\d{8}T\d{6}Z-(\d+)-\d+\.parquet")
LABELS = re.compile(r"labels-\d{8}T\d{6}Z-\d+-\d+\.parquet")


def list_rows(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if ROWS.fullmatch(path.name))


def read_rows(folder: Path) -> pd.DataFrame:
    """Every logged row, by its id."""
    table = pd.concat([pq.read_table(path).to_pandas() for path in list_rows(folder)])
    return table.set_index("prediction_id").sort_index()


def read_labels(folder: Path) -> list[tuple[str, object]]:
    """Every label with its id, as they were written."""
    paths = sorted(path for path in folder.glob("labels-*") if LABELS.fullmatch(path.name))
    tables = [pq.read_table(path).to_pydict() for path in paths]
    return sorted(pair for one in tables for pair in zip(one["prediction_id"], one["label"], strict=True))


def read_latest(folder: Path) -> dict[str, object]:
    """The label of each id that counts: the latest."""
    table = pd.concat([pq.read_table(path).to_pandas() for path in folder.glob("labels-*")]).sort_values("time")
    assert table["time"].is_unique
    return dict(zip(table["prediction_id"], table["label"], strict=True))
