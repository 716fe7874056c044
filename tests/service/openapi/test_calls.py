"""The document of a real service: every route is in it, every example is answered, every error is as it says."""

import io
import json
from collections.abc import Iterator
from typing import Any

import pandas as pd
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator, validate

from tests.conftest import NAME, Server, free_port, run
from tests.http_client import HTTP
from tests.service.openapi.conftest import AUTHORIZED, MAX_BODY_BYTES
from tests.service.openapi.documents import JSON, Call, list_calls

pytestmark = pytest.mark.slow

LIST_ROUTES = """
import asyncio, json
from ekiben.service import worker
from ekiben.service.environment import read_settings
from ekiben.service.servings.agreed_versions import open_served

listed = []
worker.mount = lambda router, protocols, settings: listed.extend(
    (route.method, route.path, route.operation is not None) for protocol in protocols for route in protocol.routes
)
settings = read_settings()

async def main():
    one = worker.Worker(settings, open_served(settings, None))
    await one.open()
    await one.close()

asyncio.run(main())
print("ROUTES", json.dumps(listed))
"""
FILES = ("/docs.js", "/docs.css", "/docs/swagger-ui-bundle.js", "/docs/swagger-ui.css")  # of the API reference
FILES += ("/index.html", "/page/{file}")  # of the page at /
ONLY_ERRORS = ("{rest:path}", ":regress", ":explain")  # the model of this service is one of classes


def list_documents(server: Server) -> Iterator[Any]:
    for path in ("/docs.json", "/docs/stars.json", "/docs/price.json"):
        yield HTTP.get(server.url + path, headers=AUTHORIZED).json()


def test_every_document_is_valid_openapi(documented: Server) -> None:
    for document in list_documents(documented):
        assert document["openapi"].startswith("3.1.")
        validate(document, cls=OpenAPIV31SpecValidator)
        assert '"nullable"' not in json.dumps(document)


def test_operations_and_tags_are_tidy(documented: Server) -> None:
    for document in list_documents(documented):
        calls = {(call.method, call.path): call.operation for call in list_calls(document)}
        ids = [operation["operationId"] for operation in calls.values()]
        assert len(set(ids)) == len(ids)
        tags = {tag["name"]: tag["description"] for tag in document["tags"]}
        assert all(tags.values())
        assert {tag for operation in calls.values() for tag in operation["tags"]} == tags.keys()


def test_every_route_is_in_it(switched_on: dict[str, str], document: Any) -> None:
    printed = run("-c", LIST_ROUTES, GRPC_PORT=str(free_port()), **switched_on).stdout
    routes = json.loads(printed.partition("ROUTES ")[2].splitlines()[0])
    silent = {(method, path) for method, path, described in routes if not described}
    left = {(method, path) for method, path in silent if path not in FILES and not path.endswith(ONLY_ERRORS)}
    assert left == set()
    assert sum(described for _, _, described in routes) <= sum(map(len, document["paths"].values()))


@pytest.mark.usefixtures("loads_again")
def test_every_example_is_answered_as_documented(documented: Server, document: Any) -> None:
    for call in list_calls(document):
        if call.example is not None:
            answered = call.send(documented.url, **AUTHORIZED)
            assert answered.status_code == 200, f"{call}: {answered.text[:300]}"
            call.check(answered)


def test_a_models_own_document_is_of_that_model(documented: Server) -> None:
    document = HTTP.get(f"{documented.url}/docs/{NAME}.json", headers=AUTHORIZED).json()
    assert all("{model}" in path for path in document["paths"])
    calls = [call for call in list_calls(document) if call.operation["tags"] != ["SageMaker"]]
    rows = [call for call in calls if "X-Prediction-Id" in call.operation["responses"]["200"].get("headers", {})]
    assert len(rows) > 5
    for call in rows:
        if call.example is not None:
            call.check(call.send(documented.url, **AUTHORIZED))


def test_a_body_of_bytes_is_answered_as_documented(documented: Server, document: Any) -> None:
    row = document["components"]["schemas"]["Row"]["example"]
    output = io.BytesIO()
    pd.DataFrame([row]).to_parquet(output)
    parquet = next(call for call in list_calls(document) if "parquet" in call.kind)
    parquet.check(answered := parquet.send(documented.url, output.getvalue(), **AUTHORIZED))
    assert answered.status_code == 200
    answered = parquet.send(documented.url, output.getvalue(), accept="text/csv", **AUTHORIZED)
    parquet.check(answered)
    assert answered.headers["content-type"] == "text/csv"


def list_rows(document: Any) -> Iterator[Call]:
    """Yield the calls that answer rows sent as JSON."""
    for call in list_calls(document):
        if call.kind == JSON and "429" in call.operation["responses"]:
            yield call


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"[]", {}, 400),
        (b"{", {}, 400),
        (b"{}", {}, 400),
        (None, {"x-request-timeout-ms": "x"}, 400),
        (None, {"content-encoding": "br"}, 415),
        (None, {"x-request-timeout-ms": "0.0001"}, 504),
        (b" " * (MAX_BODY_BYTES + 1), {}, 413),
        (None, {"authorization": "Bearer wrong"}, 401),
    ],
)
def test_every_error_is_as_documented(
    documented: Server, document: Any, body: bytes | None, headers: dict[str, str], status: int
) -> None:
    calls = list(list_rows(document))
    assert len(calls) > 12
    for call in calls:
        if call.path.startswith("/feedback") and body == b"[]":
            continue  # no labels, which is no error
        answered = call.send(documented.url, body, **(AUTHORIZED | headers))
        assert answered.status_code == status, f"{call}: {answered.status_code} {answered.text[:300]}"
        call.check(answered)


def test_a_name_that_is_not_served_is_a_documented_error(documented: Server, document: Any) -> None:
    for call in list_calls(document):
        if "{model}" in call.path and not call.path.startswith(("/docs", "/v2/repository")):
            url = documented.url + call.fill(model="nobody")
            answered = HTTP.request(call.method, url, content=call.example, headers=AUTHORIZED)
            assert answered.status_code == 404, f"{call}: {answered.text}"
            call.check(answered)


def test_probes_say_that_they_need_no_token(documented: Server, document: Any) -> None:
    assert document["security"] == [{"bearer": []}]
    for call in list_calls(document):
        answered = HTTP.request(call.method, documented.url + call.fill(), content=call.example)
        is_open = call.operation.get("security") == []
        assert (answered.status_code == 200) == is_open, call
        if not is_open:
            call.check(answered)


def test_other_accepts_are_a_documented_error(documented: Server, document: Any) -> None:
    for call in list_calls(document):
        if "406" in call.operation["responses"] and call.example is not None:
            answered = call.send(documented.url, **AUTHORIZED, accept="image/png")
            assert answered.status_code == 406
            call.check(answered)
