"""Which model, version and signature a request is for."""

from collections.abc import Mapping
from typing import Any

from ekiben.contract.validation import show
from ekiben.service.errors import BadRequest
from ekiben.service.protocols.protocol import Named, select_by_path

SIGNATURE = "serving_default"
MAX_VERSION = 2**63 - 1  # an int64
MAX_DIGITS = 19


def read_path(parameters: Mapping[str, str]) -> Named | None:
    """Return what the parts of a path name; raise BadRequest if its version is no number."""
    named = select_by_path(parameters)
    if named is None or "version" not in parameters:
        return named
    return named._replace(version=_read_version(named.version))


def read_spec(request: Any) -> Named:
    """Return what a message's `model_spec` names; raise BadRequest if it names no model."""
    spec = request.model_spec
    if not spec.name:
        raise BadRequest(400, "the request names no model: set model_spec.name")
    choice = spec.WhichOneof("version_choice")
    return Named(
        spec.name,
        str(spec.version.value) if choice == "version" else "",
        spec.version_label if choice == "version_label" else "",
    )


def check_signature(name: Any) -> None:
    """Raise BadRequest unless that is the model's signature; "" and null stand for it."""
    if name not in (None, "", SIGNATURE):
        raise BadRequest(400, f"signature {show(name)} does not exist: {SIGNATURE} is the only one")


def _read_version(text: str) -> str:
    digits = text.lstrip("0") or "0"
    if not (text.isascii() and text.isdigit()) or len(digits) > MAX_DIGITS or int(digits) > MAX_VERSION:
        raise BadRequest(400, f"version {show(text)} is not one: expected a whole number such as /versions/1")
    return digits
