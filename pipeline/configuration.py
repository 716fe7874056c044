"""What a record keeps of a problem file: all that decides what is made, and no secret."""

from typing import Any

from ekiben.training.problem import ProblemConfig
from ekiben.training.redaction import redact_uri

GATED = ("pipeline", "behaviour")  # what gates ask for; the table and the network are the same whatever they ask
TABLE = ("log", "labels", "alarmed_days")  # of the pipeline: which table it is


def describe_problem(problem: ProblemConfig, gated: bool) -> dict[str, Any]:
    """Return the problem as plain JSON without secrets, with what gates ask for where the step is `gated`."""
    described: dict[str, Any] = problem.model_dump(mode="json")
    described.pop("retrain", None)  # when a run begins, not what it makes
    if not gated:
        described["pipeline"] = {name: described["pipeline"][name] for name in TABLE}
        del described["behaviour"]
    return dict(hide(described))


def hide(value: Any) -> Any:
    """Return a value of JSON with the URLs in it redacted."""
    if isinstance(value, dict):
        return {name: hide(held) for name, held in value.items()}
    if isinstance(value, list):
        return [hide(held) for held in value]
    return redact_uri(value) if isinstance(value, str) and "://" in value else value
