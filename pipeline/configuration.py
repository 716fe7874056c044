"""What a record keeps of a problem file: all that decides what is made, and no secret."""

import re
from typing import Any

from ekiben.pipeline.record import digest_json
from ekiben.training.problem import ProblemConfig
from ekiben.training.redaction import redact, redact_uri

TABLE = ("log", "labels", "alarmed_days")  # of the pipeline: which table it is
_URL = re.compile(r"[A-Za-z][\w.+-]*://\S*")


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
    return dict(hide(described)) | {"name": problem.name}  # by which records are found


def hide(value: Any) -> Any:
    """Return a value of JSON without the secrets of the URLs in it, and without those of the environment."""
    if isinstance(value, dict):
        return {name: hide(held) for name, held in value.items()}
    if isinstance(value, list):
        return [hide(held) for held in value]
    if not isinstance(value, str):
        return value
    whole = redact_uri(value) if _URL.match(value) else value  # which may have blanks in its password
    return redact(_URL.sub(lambda found: redact_uri(found[0]), whole))
