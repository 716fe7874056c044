"""Which model, version and signature a request is for."""

from collections.abc import Mapping
from typing import Any

from ekiben.contract.validation import show
from ekiben.model.package import CHAMPION
from ekiben.service.dataplane import Dataplane
from ekiben.service.errors import BadRequest

SIGNATURE = "serving_default"
MAX_VERSION = 2**63 - 1  # an int64
MAX_DIGITS = 19


def check_path(dataplane: Dataplane, parameters: Mapping[str, str]) -> None:
    """Raise BadRequest unless the parts of a path name the model that is served."""
    version = parameters.get("version")
    dataplane.check_model(parameters["model"], "" if version is None else _read_version(version))
    if "label" in parameters:
        check_label(parameters["label"])


def check_spec(dataplane: Dataplane, request: Any) -> None:
    """Raise BadRequest unless a message's `model_spec` names the model that is served."""
    spec = request.model_spec
    if not spec.name:
        raise BadRequest(400, f"the request names no model: set model_spec.name to {show(dataplane.model.name)}")
    choice = spec.WhichOneof("version_choice")
    dataplane.check_model(spec.name, str(spec.version.value) if choice == "version" else "")
    if choice == "version_label":
        check_label(spec.version_label)
    check_signature(spec.signature_name)


def check_label(label: str) -> None:
    """Raise BadRequest unless that is the served version's label."""
    if label != CHAMPION:
        raise BadRequest(404, f"label {show(label)} is not known here: {CHAMPION} is the only one")


def check_signature(name: Any) -> None:
    """Raise BadRequest unless that is the model's signature; "" and null stand for it."""
    if name not in (None, "", SIGNATURE):
        raise BadRequest(400, f"signature {show(name)} does not exist: {SIGNATURE} is the only one")


def _read_version(text: str) -> str:
    digits = text.lstrip("0") or "0"
    if not (text.isascii() and text.isdigit()) or len(digits) > MAX_DIGITS or int(digits) > MAX_VERSION:
        raise BadRequest(400, f"version {show(text)} is not one: expected a whole number such as /versions/1")
    return digits
