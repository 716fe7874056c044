"""Starts a run of Kubeflow Pipelines: `ekiben watch --do "python -m ekiben.pipeline.triggers.adapters.kubeflow"`.

`POST /apis/v2beta1/runs` of the pipeline `KFP_PIPELINE_ID` (of its version `KFP_VERSION_ID`, else the newest) at
`KFP_URL`, in the experiment `KFP_EXPERIMENT_ID`, if it is set, with the token `KFP_TOKEN`. The pipeline gets the event
as its parameter `event`, which is JSON.
"""

import sys
from typing import Any

from ekiben.pipeline.triggers.adapters.calls import EngineFailed, call, read_setting, run
from ekiben.pipeline.triggers.events.event import Event


def create_run(event: Event) -> str:
    """Start a run; return a sentence with its id. Raises EngineFailed."""
    url = f"{read_setting('KFP_URL').rstrip('/')}/apis/v2beta1/runs"
    found = call("POST", url, read_setting("KFP_TOKEN", ""), describe_run(event)).get("run_id")
    if not isinstance(found, str) or not found:
        raise EngineFailed(f"{url} answers without a run_id: is this the API of Kubeflow Pipelines 2?")
    return f"Kubeflow runs {found} for {event.reason}"


def describe_run(event: Event) -> dict[str, Any]:
    """Return the body of the request."""
    pipeline = {"pipeline_id": read_setting("KFP_PIPELINE_ID")}
    if version := read_setting("KFP_VERSION_ID", ""):
        pipeline["pipeline_version_id"] = version
    body: dict[str, Any] = {
        "display_name": f"{event.model}: {event.reason}, {event.time:%Y-%m-%d %H:%M}",
        "pipeline_version_reference": pipeline,
        "runtime_config": {"parameters": {"event": event.to_json()}},
    }
    experiment = read_setting("KFP_EXPERIMENT_ID", "")
    return body | ({"experiment_id": experiment} if experiment else {})


if __name__ == "__main__":
    sys.exit(run(create_run))
