"""What a record keeps of a problem file: all that decides what is made, and no secret."""

from typing import Any

from ekiben.training.digests import digest_json
from ekiben.training.problem import ProblemConfig
from ekiben.training.redaction import redact_json
from ekiben.training.registry.problem_record import TABLE


def describe_problem(problem: ProblemConfig, gated: bool) -> dict[str, Any]:
    """Return the problem as plain JSON without secrets, with what gates ask for where the step is `gated`."""
    described: dict[str, Any] = problem.model_dump(mode="json")
    described.pop("retrain", None)  # when a run begins, not what it makes
    wanted = described["pipeline"]
    if gated:  # a builder's options, such as its arguments, hold secrets in any form
        wanted["image_options"] = digest_json(wanted["image_options"])
    else:
        described["pipeline"] = {name: wanted[name] for name in TABLE}
        del described["behaviour"]
    return dict(redact_json(described)) | {"name": problem.name}  # by which records are found
