"""The problem file as a record that may be read by anybody: as JSON, without secrets."""

from collections.abc import Mapping, Sequence
from typing import Any

from ekiben.training.problem import ProblemConfig
from ekiben.training.redaction import redact, redact_uri
from ekiben.training.source_config import FileSource, SqlSource
from ekiben.training.sources.sql.address import withhold_secrets

UNRECORDED = {"retrain", "behaviour"}  # weights don't depend on when a run begins, nor on what gates ask for
TABLE = {"log", "labels", "alarmed_days"}  # of the pipeline: which table it is


def describe_problem(problem: ProblemConfig) -> dict[str, Any]:
    """Return what the problem file says of the weights: its table by the whole path, a database without its login.

    What is not said stays unsaid, since it is learned; features keep their order, on which weights depend.
    """
    said: dict[str, Any] = problem.model_dump(mode="json", exclude_unset=True, exclude=UNRECORDED)
    if "pipeline" in said:
        kept = {name: value for name, value in said.pop("pipeline").items() if name in TABLE}
        logged = {name: redact_uri(value) if isinstance(value, str) else value for name, value in kept.items()}
        said |= {"pipeline": logged} if logged else {}
    source, secrets = problem.source, list[str]()
    if isinstance(source, FileSource):
        said["source"]["path"] = str(source.path.resolve())
    if isinstance(source, SqlSource):
        said["source"]["url"] = withhold_secrets(source.url)
        secrets = [source.url] if said["source"]["url"] != source.url else []
    recorded: dict[str, Any] = _redact(said, secrets)
    return recorded


def _redact(value: Any, uris: Sequence[str]) -> Any:
    """Return JSON with no secret of these URIs or of the environment in any of its strings."""
    if isinstance(value, str):
        return redact(value, *uris)
    if isinstance(value, Mapping):
        return {name: _redact(one, uris) for name, one in value.items()}
    return [_redact(one, uris) for one in value] if isinstance(value, list) else value
