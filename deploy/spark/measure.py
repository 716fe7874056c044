"""Measures what scoring costs in one task of Spark, beside the same rows in this process.

python -m ekiben.deploy.spark.measure flight_delay --rows 200000
"""

import argparse
import tempfile
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as parquet

from ekiben.deploy.spark.frames import score
from ekiben.deploy.spark.score import open_session
from ekiben.model.folder import open_packed
from ekiben.model.package import PackedModel
from ekiben.training.scoring import score_batches

BATCH_ROWS = 10_000  # as many as Spark gives at a time
PASSES = 3  # the first starts the Python process and opens the model


def main() -> None:
    """Print the rows a second of each pass."""
    parser = argparse.ArgumentParser(prog="python -m ekiben.deploy.spark.measure", description=__doc__)
    parser.add_argument("model", help="a packed model's folder, or its name in the BentoML store")
    parser.add_argument("--rows", type=int, default=200_000)
    options = parser.parse_args()
    model = open_packed(options.model)
    with tempfile.TemporaryDirectory() as folder:
        table = repeat_golden(model, options.rows)
        parquet.write_table(table, Path(folder) / "rows.parquet")
        measure_spark(model, f"{folder}/rows.parquet", table.num_rows)
    measure_here(model, table)


def repeat_golden(model: PackedModel, rows: int) -> pa.Table:
    """Return held-out rows, again and again."""
    golden = pa.Table.from_pylist(model.load_golden().rows)
    return pa.concat_tables([golden] * (rows // golden.num_rows + 1)).slice(0, rows).combine_chunks()


def measure_spark(model: PackedModel, path: str, rows: int) -> None:
    """Score a file in one task, and throw the answers away."""
    spark = open_session("ekiben measure")
    table = spark.read.parquet(path).coalesce(1)
    for number in range(PASSES):
        for what, frame in (("read alone", table), ("read and scored", score(table, model))):
            began = time.perf_counter()
            frame.write.format("noop").mode("overwrite").save()
            report(f"Spark, pass {number + 1}: {what}", rows, time.perf_counter() - began)
    spark.stop()


def measure_here(model: PackedModel, table: pa.Table) -> None:
    """Score the same rows as `ekiben predict` does, without reading and writing."""
    for number in range(PASSES):
        began, began_cpu = time.perf_counter(), time.thread_time()
        for _ in score_batches(model, table.to_batches(BATCH_ROWS)):
            pass
        report(f"this process, pass {number + 1}: scored", table.num_rows, time.perf_counter() - began)
        report(f"this process, pass {number + 1}: scored, CPU time", table.num_rows, time.thread_time() - began_cpu)


def report(what: str, rows: int, seconds: float) -> None:
    """Print one line."""
    print(f"{what}: {rows:,} rows in {seconds:.2f} s, {rows / seconds:,.0f} rows/s", flush=True)


if __name__ == "__main__":
    main()
