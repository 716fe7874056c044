"""Scores a table with Spark, or the files that come to a folder as they come.

spark-submit deploy/spark/score.py --model flight_delay flights.parquet scored
spark-submit deploy/spark/score.py --model flight_delay --stream checkpoints incoming scored
"""

import argparse
import os
import re
import sys
from collections.abc import Sequence

from pyspark.errors import AnalysisException, PySparkException
from pyspark.sql import DataFrame, Observation, SparkSession
from pyspark.sql.functions import col, count, lit

from ekiben.contract.errors import UserError
from ekiben.contract.text_lines import printable
from ekiben.deploy.spark.executor import PREDICTION
from ekiben.deploy.spark.frames import score
from ekiben.model.folder import open_packed

WRONG, SOME_REJECTED = 2, 1  # exit codes, those of `ekiben predict`
FORMATS = ("parquet", "orc", "csv", "json")
_SENTENCE = re.compile(r"^ekiben\.[\w.]+: (.+)$", re.MULTILINE)  # ours, in what an executor reports
_CODES = re.compile(r"^\[[\w.]+\] | SQLSTATE: \w+$")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; every error is one sentence."""
    options = build_parser().parse_args(arguments)
    try:
        model = open_packed(options.model)
        scored = score(read(open_session(f"ekiben {model.name} {model.version}"), options), model)
        return stream(scored, options) if options.stream else write(scored, options)
    except (UserError, PySparkException) as error:
        print(f"error: {describe(error)}", file=sys.stderr)
        return WRONG


def build_parser() -> argparse.ArgumentParser:
    """Return what reads the command line."""
    parser = argparse.ArgumentParser(
        prog="score.py", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("input", help="what Spark reads: a file, a folder, or their address")
    parser.add_argument("output", help="the folder of Parquet files that is written")
    parser.add_argument("--model", required=True, help="a packed model's folder, or its name in the BentoML store")
    parser.add_argument("--format", choices=FORMATS, default="parquet", help="of the input (default: %(default)s)")
    parser.add_argument("--partitions", type=int, help="cut the table into so many parts: one file is one task")
    parser.add_argument(
        "--stream", metavar="CHECKPOINT", help="score the files that were not scored before, by this folder"
    )
    parser.add_argument(
        "--every", metavar="INTERVAL", help='with --stream: go on, and look so often, e.g. "10 seconds"'
    )
    return parser


def open_session(name: str) -> SparkSession:
    """Return the session of `spark-submit`, or one on this machine; there, executors are this Python unless said."""
    spark = SparkSession.builder.appName(name).getOrCreate()
    context = spark.sparkContext
    if context.master.startswith("local") and "PYSPARK_PYTHON" not in os.environ:
        context.pythonExec = sys.executable  # or it is the first python3 of the path
    return spark


def read(spark: SparkSession, options: argparse.Namespace) -> DataFrame:
    """Return the table; the values of a CSV file stay strings, which the model's schema reads."""
    header = {"header": "true"} if options.format == "csv" else {}
    table = spark.read.format(options.format).options(**header).load(options.input)
    if options.stream:
        stream = spark.readStream.format(options.format).options(**header).schema(table.schema)
        return stream.load(options.input)
    return table.repartition(options.partitions) if options.partitions else table


def write(scored: DataFrame, options: argparse.Namespace) -> int:
    """Write the scored table; the exit code says whether every row got a prediction."""
    seen = Observation()
    counted = scored.observe(seen, count(lit(1)).alias("rows"), count(col(f"{PREDICTION}.problem")).alias("rejected"))
    try:
        counted.write.parquet(options.output)
    except AnalysisException as error:
        if error.getCondition() != "PATH_ALREADY_EXISTS":
            raise
        raise UserError(f"{options.output} is there already: name another folder, or remove it") from None
    rows, rejected = seen.get["rows"], seen.get["rejected"]
    print(f"{rows:,} rows; {rejected:,} don't fit the schema and have no prediction", file=sys.stderr)
    return SOME_REJECTED if rejected else 0


def stream(scored: DataFrame, options: argparse.Namespace) -> int:
    """Write what is scored as it comes: all that is there, or on and on."""
    writer = scored.writeStream.format("parquet").option("checkpointLocation", options.stream)
    trigger = {"processingTime": options.every} if options.every else {"availableNow": True}
    writer.trigger(**trigger).start(options.output).awaitTermination()
    return 0


def describe(error: Exception) -> str:
    """Return an error as one sentence: ours, wherever it was raised, or the first line of Spark's."""
    ours = _SENTENCE.findall(str(error))
    line = ours[-1] if ours else _CODES.sub("", str(error).strip().partition("\n")[0])
    return printable(line)


if __name__ == "__main__":
    sys.exit(main())
