"""Writes a large table to a CSV or Parquet file, in batches: `python -m tests.tables.large OUT --rows 5000000`.

Thirty columns of every kind, with missing values, and a target that can be learned.
"""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

BATCH_ROWS = 200_000
NUMBERS = 20
CATEGORIES = {"shop": 50_000, "brand": 800, "region": 50, "size": 12, "channel": 5}  # how many values each has
SINCE = np.datetime64("2020-01-01T00:00:00")


def make_batch(generator: np.random.Generator, rows: int) -> pa.RecordBatch:
    """Return rows of the table."""
    numbers = generator.normal(size=(rows, NUMBERS)).round(4)
    columns: dict[str, object] = {
        f"number_{index}": pa.array(numbers[:, index], mask=generator.random(rows) < 0.05) for index in range(NUMBERS)
    }
    for name, values in CATEGORIES.items():
        columns[name] = pa.array(np.char.add(name[0], generator.integers(0, values, rows).astype(str)))
    for name in ("member", "returned"):
        columns[name] = pa.array(generator.random(rows) < 0.3)
    for name in ("ordered", "shipped"):
        columns[name] = pa.array(SINCE + generator.integers(0, 10**8, rows).astype("timedelta64[s]"))
    score = numbers[:, 0] + numbers[:, 1] * numbers[:, 2] + generator.normal(size=rows)
    columns["bought"] = pa.array(score > 0.5)
    return pa.RecordBatch.from_pydict(columns)


def make_batches(rows: int) -> Iterator[pa.RecordBatch]:
    """Yield the whole table; the same rows every time."""
    generator = np.random.default_rng(0)
    for start in range(0, rows, BATCH_ROWS):
        yield make_batch(generator, min(BATCH_ROWS, rows - start))


def main() -> int:
    """Write the file."""
    parser = argparse.ArgumentParser(prog="python -m tests.tables.large", description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path, help="a file ending in .csv or .parquet")
    parser.add_argument("--rows", type=int, default=5_000_000)
    options = parser.parse_args()
    if options.out.suffix not in (".csv", ".parquet") or options.rows < 1:
        parser.error("expected a file that ends in .csv or .parquet, and a number of rows above 0")
    schema = make_batch(np.random.default_rng(0), 1).schema
    wide = options.out.suffix == ".csv"
    writer = pyarrow.csv.CSVWriter(options.out, schema) if wide else pyarrow.parquet.ParquetWriter(options.out, schema)
    with writer:
        for batch in make_batches(options.rows):
            writer.write_batch(batch)
    return 0


if __name__ == "__main__":
    sys.exit(main())
