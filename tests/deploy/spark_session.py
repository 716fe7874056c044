"""Runs commands of deploy/spark/score.py and Python, one after the other, in one Spark session: a JVM starts slowly.

Run by the Python of .venv-spark in the folder of the tables, which has jobs.json; writes results.json.
"""

import io
import json
import traceback
from contextlib import redirect_stderr, redirect_stdout, suppress
from pathlib import Path
from typing import Any

from ekiben.deploy.spark.score import describe, main, open_session

spark = open_session("tests")


def run(job: dict[str, Any]) -> dict[str, Any]:
    """Return what a job printed, and how it ended."""
    code: Any = 0
    with redirect_stdout(io.StringIO()) as printed, redirect_stderr(io.StringIO()) as errors:
        try:
            if "arguments" in job:
                code = main(job["arguments"])
            else:
                exec(job["code"], {"spark": spark})
        except SystemExit as stop:
            code = stop.code
        except Exception as error:
            code = describe(error)
            traceback.print_exc()
    return {"code": code, "printed": printed.getvalue(), "errors": errors.getvalue()}


jobs = json.loads(Path("jobs.json").read_text())
results = {}
for name, job in jobs.items():
    results[name] = run(job)
    Path("results.json").write_text(json.dumps(results, indent=2))
with suppress(Exception):
    spark.stop()
