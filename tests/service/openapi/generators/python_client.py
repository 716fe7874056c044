"""Calls every operation of a client that openapi-python-client made: python_client.py DOCUMENT URL [TOKEN].

It prints a line for each, and fails unless all were answered with 200. It runs where that client is `made`.
"""

import importlib
import inspect
import json
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin

LAST = ("delete_", "post_v2_repository_models_model_unload")
JSON = "application/json"


def list_operations(document: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    found = [operation for item in document["paths"].values() for operation in item.values()]
    yield from sorted(found, key=lambda operation: operation["operationId"].startswith(LAST))


def to_snake(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])|\W+", "_", name).lower()


def make_body(annotation: Any, example: Any) -> Any:
    """Return the body in the first of its types that takes it."""
    types = get_args(annotation) if get_origin(annotation) in (Union, UnionType) else (annotation,)
    for kind in types:
        if hasattr(kind, "from_dict"):
            try:
                return kind.from_dict(example)
            except (KeyError, AttributeError, TypeError):
                continue
    raise AssertionError(f"{annotation} takes no {example}")


def call(operation: Mapping[str, Any], client: Any) -> int:
    """Call an operation with the document's examples; return the status."""
    name = operation["operationId"]
    module = importlib.import_module(f"made.api.{to_snake(operation['tags'][0])}.{name}")
    function = module.sync_detailed
    given = {one["name"]: one["example"] for one in operation["parameters"] if one.get("in") == "path"}
    content = operation.get("requestBody", {}).get("content", {})
    if JSON in content:
        hints = inspect.get_annotations(function, eval_str=True)
        given["body"] = make_body(hints["body"], content[JSON]["example"])
    return int(function(client=client, **given).status_code)


def main(path: str, url: str, token: str = "") -> None:
    document = json.loads(Path(path).read_text(encoding="utf-8"))
    made = importlib.import_module("made.client")
    client = made.AuthenticatedClient(url, token) if token else made.Client(url)
    wrong = 0
    for operation in list_operations(document):
        status = call(operation, client)
        print(operation["operationId"], status)
        wrong += status != 200
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main(*sys.argv[1:])
