"""What tests/deploy/test_spark.py lets one session of Spark do: the page's examples, then what must fail."""

import shlex
from typing import Any

from tests.conftest import ROOT
from tests.examples import WITH_SPARK, read_examples

PAGE = "docs/spark.md"
MODULES = """
import json
from ekiben.deploy.spark.frames import score
from ekiben.model.folder import open_packed

model = open_packed("flight_delay")
digest = model.digest
table = spark.read.parquet("flights.parquet").coalesce(1)
score(table, model)  # ships both

def look(batches):
    import sys
    import pyarrow
    from ekiben.deploy.spark.executor import find_scorer

    scorer = find_scorer(f"ekiben-model-{digest[:16]}.zip", digest)
    assert list(batches) and scorer is find_scorer("", digest)  # which is opened once a process
    found = {name.partition(".")[0] for name in sys.modules}
    where = sys.modules["ekiben.contract.encoding"].__file__
    yield pyarrow.record_batch({"found": [",".join(found)], "where": [where]})

for row in table.mapInArrow(look, "found string, where string").collect():
    print(json.dumps(row.asDict()))
"""
OTHER = """
from ekiben.deploy.spark.frames import score
from ekiben.model.folder import open_packed
import sys

path = list(sys.path)
spark.sparkContext.addPyFile("other.zip")
sys.path[:] = path  # it is on the executors alone
score(spark.read.parquet("flights.parquet"), open_packed("flight_delay")).collect()
"""
ZONED = """
from pyspark.sql.functions import col
from ekiben.deploy.spark.frames import score
from ekiben.model.folder import open_packed

table = spark.read.parquet("flights.parquet")
moments = col("scheduled_departure").cast("timestamp")
score(table.withColumn("scheduled_departure", moments), open_packed("flight_delay"))
"""
TAKEN = """
from ekiben.deploy.spark.frames import score
from ekiben.model.folder import open_packed

score(spark.read.parquet("flights.parquet").selectExpr("*", "1 AS prediction"), open_packed("flight_delay"))
"""
ABSENT_IN_SQL = 'spark.sql("SELECT delay(struct(id, distance)) FROM flights").collect()'
LATER = 'import shutil; shutil.copy("later.parquet", "incoming/later.parquet")'


def command(arguments: str) -> list[str]:
    return ["--model", *arguments.split()]


def list_examples() -> dict[str, dict[str, Any]]:
    """The page's examples, as jobs."""
    examples = [one for one in read_examples(ROOT / PAGE, PAGE) if WITH_SPARK in one.info]
    jobs: dict[str, dict[str, Any]] = {}
    for example in examples:
        if example.language == "python":
            jobs[str(example)] = {"code": example.body, "shown": example.body.splitlines()[-1]}
        for one in example.commands if example.language == "sh" else ():
            script, *arguments = shlex.split(one.line)[1:]
            assert (ROOT / script).is_file()
            jobs[str(example)] = {"arguments": arguments}
    return jobs


JOBS = {
    **list_examples(),
    "modules": {"code": MODULES},
    "later": {"code": LATER},
    "again": {"arguments": command("flight_delay --stream checkpoints incoming streamed")},
    "absent": {"arguments": command("flight_delay absent.parquet nothing")},
    "absent in SQL": {"code": ABSENT_IN_SQL},
    "zoned": {"code": ZONED},
    "taken": {"code": TAKEN},
    "no model": {"arguments": command("nobody flights.parquet nothing")},
    "no table": {"arguments": command("flight_delay nowhere.parquet nothing")},
    "there": {"arguments": command("flight_delay flights.parquet scored")},
    "other versions": {"code": OTHER},  # the last: what it adds stays
}
