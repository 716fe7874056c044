"""The parameters of the repository's calls: which version, and whether what it refuses may be ignored."""

from collections.abc import Mapping
from typing import Any

from ekiben.contract.validation import shorten, show, suggest
from ekiben.service.errors import BadRequest

VERSION, FORCE = "version", "force"


def read_request(content: Any) -> Mapping[str, Any]:
    """Return the parameters of a body."""
    parameters = content.get("parameters", {}) if isinstance(content, dict) else None
    if not isinstance(parameters, dict):
        raise BadRequest(400, f'expected an object such as {{"parameters": {{"version": "2"}}}}, got {show(content)}')
    return parameters


def check_parameters(parameters: Mapping[str, Any], known: tuple[str, ...]) -> None:
    """Raise BadRequest if there is another parameter, or one of the wrong type."""
    for name in parameters:
        if name not in known:
            raise BadRequest(400, f"parameters.{shorten(name)}: unknown parameter{suggest(name, known)}")
    if not isinstance(parameters.get(FORCE, False), bool):
        raise BadRequest(400, f"parameters.{FORCE}: expected true or false, got {show(parameters[FORCE])}")


def read_version(parameters: Mapping[str, Any]) -> str:
    """Return the version that is named, "" if none."""
    version = parameters.get(VERSION, "")
    if isinstance(version, int) and not isinstance(version, bool):
        return str(version)
    if not isinstance(version, str):
        raise BadRequest(400, f'parameters.{VERSION}: expected a version such as "2", got {show(version)}')
    return version
