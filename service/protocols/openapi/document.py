"""The document: made as somebody asks for it, of every route with an `Operation`."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from ekiben.contract.openapi_types import describe_types
from ekiben.model.package import PackedModel
from ekiben.service.http.messages import Request, encode_json
from ekiben.service.offload import offload
from ekiben.service.protocols.openapi import JSON, record
from ekiben.service.protocols.openapi.bentoml_routes import BENTOML
from ekiben.service.protocols.openapi.describing import Describer, Surroundings
from ekiben.service.protocols.openapi.errors import describe_errors
from ekiben.service.protocols.openapi.markup import escape_markup
from ekiben.service.protocols.openapi.parameters import HEADERS, PARAMETERS
from ekiben.service.protocols.openapi.paths import expand_template
from ekiben.service.protocols.openapi.references import keep_referenced
from ekiben.service.protocols.openapi.schemas import plain
from ekiben.service.protocols.openapi.tags import describe_tags
from ekiben.service.protocols.protocol import Operation, Protocol, Route

OPENAPI = "3.1.1"
PATH, NAMED_PATH = "/docs.json", "/docs/{model}.json"
BEARER = "bearer"
SCHEMES = {"securitySchemes": {BEARER: {"type": "http", "scheme": "bearer"}}}
MAX_LISTED = 100
IDS = "Every answer to rows has the header X-Prediction-Id, by which its label is sent later."
GRPC = (
    "The same calls are there over gRPC, on a port of their own: its reflection lists services and messages, "
    "and the package has them as `.proto` files in `ekiben/service/protos`."
)
SHOWN = Operation("This document", response={JSON: record(openapi={"type": "string"}, paths={"type": "object"})})


def serve_document(protocols: Sequence[Protocol], model: PackedModel, surroundings: Surroundings) -> Protocol:
    """Return the protocol that serves the document where BentoML's page looks for it, and where each model has its own.

    They are made as somebody asks for them: of fifty models nobody may.
    """
    made: dict[str, tuple[Sequence[str], bytes]] = {}  # by path: the models besides this one, and the document
    served: list[Protocol] = []

    async def make(path: str, named: bool) -> bytes:
        names = list(surroundings.others())
        if path not in made or made[path][0] != names:
            described = [*served, *protocols, *surroundings.shared(), BENTOML]
            made[path] = names, encode_json(await offload(describe_service, described, model, surroundings, named))
        return made[path][1]

    async def answer(request: Request) -> bytes:
        return await make(PATH, False)

    async def answer_named(request: Request) -> bytes:
        return await make(NAMED_PATH, True)

    routes = Route("GET", PATH, answer, operation=SHOWN), Route("GET", NAMED_PATH, answer_named, operation=SHOWN)
    served.append(Protocol("document", routes))
    return served[0]


def describe_service(
    protocols: Sequence[Protocol], model: PackedModel, surroundings: Surroundings | None = None, named: bool = False
) -> dict[str, Any]:
    """Return the document of the protocols' routes; if `named`, of those that name this model: others may be another's.

    It says where the other models' documents are.
    """
    surroundings = surroundings or Surroundings()
    describer = Describer(model, surroundings)
    paths: dict[str, Any] = {}
    used: list[Protocol] = []
    for protocol, route, path in list_operations(protocols):
        if (named and "{model}" not in path) or route.method.lower() in paths.get(path, {}):
            continue
        paths.setdefault(path, {})[route.method.lower()] = describer.describe(protocol, route, path)
        used.append(protocol)
    responses, error_schemas = describe_errors(used)
    row_types = {name: plain(schema) for name, schema in describe_types(model.schema).items()}
    components = {
        "schemas": row_types | describer.schemas.found | error_schemas,
        "parameters": PARAMETERS,
        "headers": HEADERS,
        "responses": responses,
    }
    return {
        "openapi": OPENAPI,
        "info": describe_info(model, () if named else surroundings.others()),
        "servers": [{"url": ".." if named else "."}],  # relative to this document
        "tags": describe_tags(protocol.name for protocol in used),
        "security": [{BEARER: []}] if surroundings.guarded else [],
        "paths": paths,
        "components": keep_referenced(components, paths) | (SCHEMES if surroundings.guarded else {}),
    }


def list_operations(protocols: Iterable[Protocol]) -> Iterator[tuple[Protocol, Route, str]]:
    """Yield every route that says what it does, on each path of its template; a slash at the end makes no other one."""
    for protocol in protocols:
        for route in protocol.routes:
            if route.operation is not None:
                for path in expand_template(route.path):
                    if path == "/" or not path.endswith("/"):
                        yield protocol, route, path


def describe_info(model: PackedModel, others: Sequence[str]) -> dict[str, Any]:
    """Return what the document is about."""
    about = escape_markup(model.schema.target.description or model.schema.target.name)
    description = f"Predicts {about}. {IDS} {GRPC}{list_others(others)}"
    return {"title": model.name, "version": model.version, "description": description}


def list_others(names: Sequence[str]) -> str:
    """Return a sentence that leads to the pages of other models, "" if there are none."""
    if not names:
        return ""
    links = ", ".join(f"[{name}](docs/{name}.html)" for name in names[:MAX_LISTED])
    more = f" and {len(names) - MAX_LISTED} more" if len(names) > MAX_LISTED else ""
    return f" Calls that name no model get this one's answers; other models here: {links}{more}."
