"""The problem file as a record that may be read by anybody: as JSON, without secrets."""

from typing import Any

from ekiben.training.problem import ProblemConfig
from ekiben.training.redaction import redact_json, redact_uri
from ekiben.training.source_config import FileSource, SqlSource
from ekiben.training.sources.sql.address import withhold_secrets

UNRECORDED = {"retrain", "behaviour"}  # weights don't depend on when a run begins, nor on what gates ask for
TABLE = ("log", "labels", "alarmed_days")  # of the pipeline: which table it is


def describe_problem(problem: ProblemConfig) -> dict[str, Any]:
    """Return what the problem file says of the weights: its table by the whole path, a database without its login.

    What is not said stays unsaid, since it is learned; features keep their order, on which weights depend.
    """
    said: dict[str, Any] = problem.model_dump(mode="json", exclude_unset=True, exclude=UNRECORDED)
    if "pipeline" in said:
        kept = {name: value for name, value in said.pop("pipeline").items() if name in TABLE}
        logged = {name: redact_uri(value) if isinstance(value, str) else value for name, value in kept.items()}
        said |= {"pipeline": logged} if logged else {}
    source = problem.source
    if isinstance(source, FileSource):
        said["source"]["path"] = str(source.path.resolve())
    if not isinstance(source, SqlSource):
        return dict(redact_json(said))
    url = withhold_secrets(source.url)  # in which the names of variables stay
    recorded = dict(redact_json(said, *([source.url] if url != source.url else [])))
    return recorded | {"source": recorded["source"] | {"url": url}}
