"""The runs of a model for a person or a program: `ekiben runs`."""

import json
from typing import Literal

from ekiben.pipeline.records.journal import Run, list_runs

Format = Literal["text", "json"]


def list_as(form: Format, model: str) -> str:
    """Return a model's runs, the latest first."""
    runs = list_runs(model)
    if form == "json":
        return json.dumps([run.model_dump(mode="json") | {"reason": run.reason} for run in runs], indent=1)
    if not runs:
        return f"{model} has no run yet: `ekiben run` begins one"
    width = max(len(run.reason) for run in runs)
    return "\n".join(describe(run, width) for run in runs)


def describe(run: Run, width: int) -> str:
    """Return a run as one line: when, why, how far it came, what it came to, and the version it made."""
    reached = run.steps[-1].step if run.steps else "nothing"
    version = f", version {run.version}" if run.version else ""
    sentence = f": {run.sentence}" if run.sentence else ""
    came = f"{run.outcome} at {reached}{version}{sentence}"
    return f"{run.began[:16].replace('T', ' ')}  {run.reason:{width}}  {came}"
