"""Reads an OpenAPI document as its readers do: operations, the calls that its examples make, what they answer."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import httpx
from jsonschema import Draft202012Validator

from tests.http_client import HTTP

METHODS = ("get", "post", "put", "delete")
JSON = "application/json"


@dataclass(frozen=True)
class Call:
    """One operation, with one of its request's content types."""

    document: Mapping[str, Any]
    method: str
    path: str
    kind: str = ""

    def __str__(self) -> str:
        return f"{self.method.upper()} {self.path} {self.kind}".strip()

    @property
    def operation(self) -> Mapping[str, Any]:
        return self.document["paths"][self.path][self.method]

    @property
    def example(self) -> bytes | None:
        """The body that the document gives, None if it gives none."""
        if not self.kind:
            return b""
        content = self.operation["requestBody"]["content"][self.kind]
        if "example" not in content:
            return None
        return json.dumps(content["example"]).encode() if self.kind == JSON else content["example"].encode()

    def send(self, url: str, body: bytes | None = None, **headers: str) -> httpx.Response:
        """Send the example, or this body in its place."""
        content = self.example if body is None else body
        kind = {"content-type": self.kind} if self.kind else {}
        return HTTP.request(self.method, url + self.fill(), content=content, headers=kind | headers, timeout=60)

    def fill(self, **values: str) -> str:
        """Return the path with its examples in it, or with these values."""
        filled = self.path
        for parameter in map(self.resolve, self.operation["parameters"]):
            if parameter["in"] == "path":
                value = values.get(parameter["name"], parameter["example"])
                filled = filled.replace(f"{{{parameter['name']}}}", value)
        return filled

    def resolve(self, part: Mapping[str, Any]) -> Mapping[str, Any]:
        if "$ref" not in part:
            return part
        kind, name = part["$ref"].removeprefix("#/components/").split("/")
        return self.document["components"][kind][name]

    def check(self, answered: httpx.Response) -> None:
        """Check that the document has such an answer: its status, its content type, its body and its headers."""
        status = str(answered.status_code)
        assert status in self.operation["responses"], f"{self}: {status} {answered.text[:300]}"
        documented = self.resolve(self.operation["responses"][status])
        for name, header in documented.get("headers", {}).items():
            self._check_header(answered, name, header)
        if "content" not in documented:
            assert answered.content == b"", self
            return
        kind = answered.headers["content-type"].partition(";")[0]
        assert kind in documented["content"], f"{self}: {kind}"
        if kind == JSON:
            self.validate(answered.json(), documented["content"][kind]["schema"])

    def validate(self, value: Any, schema: Mapping[str, Any]) -> None:
        root = {"components": self.document["components"], **schema}
        errors = [f"{self}: {one.json_path}: {one.message}" for one in Draft202012Validator(root).iter_errors(value)]
        assert errors == []

    def _check_header(self, answered: httpx.Response, name: str, header: Mapping[str, Any]) -> None:
        if name not in answered.headers:
            assert name in ("X-Request-Id", "Retry-After"), f"{self}: {name}"  # not always there
            return
        schema, text = self.resolve(header)["schema"], answered.headers[name]
        self.validate(int(text) if schema["type"] == "integer" else text, schema)


def list_calls(document: Mapping[str, Any]) -> Iterator[Call]:
    """Yield every operation with every content type of its request; those that end a model come last."""
    calls = []
    for path, item in document["paths"].items():
        for method in filter(item.__contains__, METHODS):
            kinds = item[method].get("requestBody", {}).get("content", {"": None})
            calls += [Call(document, method, path, kind) for kind in kinds]
    yield from sorted(calls, key=lambda call: call.method == "delete" or call.path.endswith("/unload"))
