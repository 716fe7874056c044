"""One route as OpenAPI's operation object."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ekiben.model.package import PackedModel
from ekiben.service.protocols.openapi.errors import ANSWERING, refer_errors
from ekiben.service.protocols.openapi.parameters import MODEL_VERSION, PREDICTION_ID, describe_parameters
from ekiben.service.protocols.openapi.paths import list_names, name_operation
from ekiben.service.protocols.openapi.schemas import SchemaCollector
from ekiben.service.protocols.openapi.tags import find_tag
from ekiben.service.protocols.protocol import Described, Operation, Protocol, Route


@dataclass(frozen=True)
class Surroundings:
    """What a document says besides one model's routes."""

    shared: Callable[[], Sequence[Protocol]] = tuple  # the routes that all models share
    others: Callable[[], Sequence[str]] = tuple  # the names of the other models that are served now
    guarded: bool = False  # calls need a token


class Describer:
    """Describes the routes of one document, and collects the schemas that they refer to."""

    def __init__(self, model: PackedModel, surroundings: Surroundings) -> None:
        self.schemas = SchemaCollector()
        self._model = model
        self._surroundings = surroundings

    def describe(self, protocol: Protocol, route: Route, path: str) -> dict[str, Any]:
        """Return a route's operation object on one of its paths; it must have an `operation`."""
        operation = route.operation or Operation("")
        names = list_names(path)
        errors = _list_errors(operation, names, self._surroundings.guarded and not route.probe)
        described = {
            "tags": [find_tag(protocol.name).title],
            "summary": operation.summary,
            "operationId": name_operation(route.method, path),
            "parameters": describe_parameters(names, operation, self._model, self._surroundings.others),
            "responses": self._describe_answers(operation) | refer_errors(protocol, errors),
        }
        if route.probe and self._surroundings.guarded:
            described["security"] = []
        if operation.request:
            described["requestBody"] = self._describe_body(operation)
        return described

    def _describe_body(self, operation: Operation) -> dict[str, Any]:
        content = self._describe_content(operation.request)
        for kind, example in operation.examples.items():
            content[kind]["example"] = example(self._model)
        return {"required": not operation.bodiless, "content": content}

    def _describe_answers(self, operation: Operation) -> dict[str, Any]:
        """Return the answers that are no errors, by status."""
        answer: dict[str, Any] = {}
        if operation.response:
            answer["content"] = self._describe_content(operation.response)
        if operation.rows:
            refer = {name: {"$ref": f"#/components/headers/{name}"} for name in (PREDICTION_ID, MODEL_VERSION)}
            answer["headers"] = refer
        texts = {200: "The answer." if operation.response else "Yes; there is no body.", **operation.statuses}
        return {str(status): {"description": text, **answer} for status, text in texts.items()}

    def _describe_content(self, described: Mapping[str, Described]) -> dict[str, Any]:
        return {kind: {"schema": self.schemas.describe(one)} for kind, one in described.items()}


def _list_errors(operation: Operation, names: Sequence[str], guarded: bool) -> set[int]:
    statuses = {*operation.errors, *(ANSWERING if operation.rows else ())}
    if guarded:
        statuses.add(401)
    if names:
        statuses.add(404)
    return statuses - set(operation.statuses)
