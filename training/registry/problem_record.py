"""The problem file as a record that may be read by anybody: as JSON, without secrets."""

from collections.abc import Mapping, Sequence
from typing import Any

from ekiben.training.problem import ProblemConfig
from ekiben.training.redaction import redact
from ekiben.training.source_config import FileSource, SqlSource
from ekiben.training.sources.sql.address import withhold_secrets


def describe_problem(problem: ProblemConfig) -> dict[str, Any]:
    """Return what the problem file says, and only that: its table by the whole path, a database without its login.

    What is not said stays unsaid, since it is learned; features keep their order, on which weights depend.
    """
    said: dict[str, Any] = problem.model_dump(mode="json", exclude_unset=True)
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
