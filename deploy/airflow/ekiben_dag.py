"""Ekiben's steps as an Airflow DAG: a task each, which calls `ekiben step NAME` on the worker.

An event of the asset `ekiben-retrain` starts a run; with EKIBEN_CRON set, the clock does instead. A gate that says stop
skips the steps after it: the run succeeds, and the log of its task says why.
"""

import json
import os
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import Asset, dag

STEPS = ("ingest", "check", "train", "evaluate", "validate", "pack", "image", "shadow", "promote")
STOPPED = 3  # the exit code of a gate that said no
RETRAIN = Asset("ekiben-retrain", uri="ekiben://retrain")
FIELDS = ("model", "version", "reason", "evidence", "time", "id")  # of an event; Airflow adds its own
# The outcome is printed last, since Airflow keeps the last line. What is given comes in variables: it is no shell code.
COMMAND = """
outcome=$(ekiben step {name} ${{AFTER:+--after "$AFTER"}} ${{EVENT:+--event "$EVENT"}})
code=$?
echo "$outcome"
exit $code
"""


def describe_event(events: Mapping[Any, Iterable[Any]], run_type: str) -> str:
    """Return as JSON what started the run: the newest event, or that it was the clock or a person."""
    extras = [event.extra for several in events.values() for event in several if event.extra]
    reason = {"reason": "schedule" if run_type == "scheduled" else "manual"}
    return json.dumps({name: extras[-1][name] for name in FIELDS if name in extras[-1]} if extras else reason)


@dag(
    dag_id="ekiben",
    schedule=os.environ.get("EKIBEN_CRON") or [RETRAIN],
    catchup=False,
    max_active_runs=1,
    user_defined_macros={"describe_event": describe_event},
    default_args={"retries": 1, "retry_delay": timedelta(minutes=5)},
    doc_md=__doc__,
)
def ekiben() -> None:
    """Run the steps in turn for as long as each says go."""
    before: BashOperator | None = None
    for name in STEPS:
        given = {"EVENT": "{{ describe_event(triggering_asset_events, dag_run.run_type) }}"}
        if before:
            given = {"AFTER": f"{{{{ ti.xcom_pull(task_ids='{before.task_id}')['key'] }}}}"}
        task = BashOperator(
            task_id=name,
            bash_command=COMMAND.format(name=name),
            env=given,
            append_env=True,
            skip_on_exit_code=STOPPED,
            output_processor=json.loads,
        )
        if before:
            before >> task
        before = task


ekiben()
