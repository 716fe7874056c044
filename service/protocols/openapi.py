"""The OpenAPI document of all protocols: BentoML's own, and every route that says what it does."""

import html
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from ekiben.contract.openapi_types import describe_types
from ekiben.model.package import CHAMPION, PackedModel
from ekiben.service.http.messages import Request, encode_json
from ekiben.service.offload import offload
from ekiben.service.protocols.protocol import JsonSchema, Operation, Protocol, Route

PATH, NAMED_PATH = "/docs.json", "/docs/{model}.json"
ROW: JsonSchema = {"$ref": "#/components/schemas/Row"}
PREDICTION: JsonSchema = {"$ref": "#/components/schemas/Prediction"}
MAX_LISTED = 100
Others = Callable[[], Sequence[str]]  # the names of the other models that are served now
IDS = "Every answer to rows has the header X-Prediction-Id, by which its label is sent later."
ERROR = {
    "description": "One sentence that says what is wrong.",
    "content": {
        "application/json": {
            "schema": {"type": "object", "required": ["error"], "properties": {"error": {"type": "string"}}}
        }
    },
}


def document(base: Mapping[str, Any], protocols: Sequence[Protocol], model: PackedModel, others: Others) -> Protocol:
    """Return the protocol that serves the document where BentoML's page looks for it, and where each model has its own.

    They are made as somebody asks for them: of fifty models nobody may.
    """
    made: dict[str, tuple[Sequence[str], bytes]] = {}  # by path: what it lists besides the model, and the document

    async def make(path: str, describe: Callable[..., Mapping[str, Any]], names: Sequence[str]) -> bytes:
        if path not in made or made[path][0] != names:
            made[path] = names, encode_json(await offload(describe, base, protocols, model, names))
        return made[path][1]

    async def answer(request: Request) -> bytes:
        return await make(PATH, describe_service, others())

    async def answer_named(request: Request) -> bytes:
        return await make(NAMED_PATH, describe_named, ())

    return Protocol("document", (Route("GET", PATH, answer), Route("GET", NAMED_PATH, answer_named)))


def describe_service(
    base: Mapping[str, Any], protocols: Iterable[Protocol], model: PackedModel, others: Sequence[str] = ()
) -> dict[str, Any]:
    """Return BentoML's document with the protocols' routes in it; it says where the other models' documents are."""
    paths: dict[str, Any] = dict(base["paths"])
    for protocol in protocols:
        for route in protocol.routes:
            if route.operation is None:
                continue
            for path in expand_template(route.path):
                described = describe_operation(protocol, route.method, path, route.operation, model)
                paths.setdefault(path, {})[route.method.lower()] = described
    about = escape_markup(model.schema.target.description or model.schema.target.name)
    description = f"Predicts {about}. {IDS}{list_others(others)}"
    info = {"title": model.name, "version": model.version, "description": description}
    # BentoML's are of the model that the service was started with.
    components = {**base["components"], "schemas": base["components"]["schemas"] | describe_types(model.schema)}
    return {**base, "info": info, "paths": paths, "components": _escape_descriptions(components)}


def describe_named(
    base: Mapping[str, Any], protocols: Iterable[Protocol], model: PackedModel, others: Sequence[str] = ()
) -> dict[str, Any]:
    """Return the document of the calls that name this model: all others may be for another one."""
    described = describe_service(base, protocols, model, others)
    return {**described, "paths": {path: kept for path, kept in described["paths"].items() if "{model}" in path}}


def list_others(names: Sequence[str]) -> str:
    """Return a sentence that leads to the pages of other models, "" if there are none."""
    if not names:
        return ""
    links = ", ".join(f"[{name}](docs/{name}.html)" for name in names[:MAX_LISTED])
    more = f" and {len(names) - MAX_LISTED} more" if len(names) > MAX_LISTED else ""
    return f" Calls that name no model get this one's answers; other models here: {links}{more}."


def escape_markup(text: str) -> str:
    """Return a description that shows this text: it is CommonMark, where a name could be HTML or an image."""
    return html.escape(text, quote=False).replace("](", "]&#40;").replace("![", "!&#91;")


def describe_operation(
    protocol: Protocol, method: str, path: str, operation: Operation, model: PackedModel
) -> dict[str, Any]:
    """Return OpenAPI's operation object."""
    answers = {"application/json": {"type": "object"}} if not operation.response else operation.response
    described: dict[str, Any] = {
        "tags": [protocol.name],
        "summary": operation.summary,
        "operationId": re.sub(r"\W+", "_", f"{method.lower()}{path}"),
        "parameters": [describe_parameter(name, model) for name in re.findall(r"\{(\w+)\}", path)],
        "responses": {
            "200": {"description": "Successful Response", "content": _by_type(answers)},
            **{str(status): {"description": text} for status, text in operation.statuses.items()},
            "default": ERROR,
        },
    }
    if operation.request:
        described["requestBody"] = {"required": True, "content": _by_type(operation.request)}
    return described


def describe_parameter(name: str, model: PackedModel) -> dict[str, Any]:
    """Return OpenAPI's parameter object for a part of a path."""
    known = {"model": [model.name], "version": [model.version], "label": [CHAMPION]}
    schema = {"type": "string", "enum": known[name]} if name in known else {"type": "string"}
    return {"name": name, "in": "path", "required": True, "schema": schema}


def expand_template(template: str) -> Iterator[str]:
    """Yield the paths of a template, without and with each part that may be left out."""
    matched = re.search(r"\[([^\[\]]*)\]", template)
    if matched is None:
        yield template
        return
    before, after = template[: matched.start()], template[matched.end() :]
    yield from expand_template(before + after)
    yield from expand_template(before + matched.group(1) + after)


def _escape_descriptions(components: Mapping[str, Any]) -> dict[str, Any]:
    """Return the components with the descriptions of every schema and its fields as text."""
    schemas = {}
    for name, schema in components["schemas"].items():
        fields = {key: _escape_description(field) for key, field in schema.get("properties", {}).items()}
        schemas[name] = _escape_description({**schema, "properties": fields} if fields else schema)
    return {**components, "schemas": schemas}


def _escape_description(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    return {**schema, "description": escape_markup(schema["description"])} if "description" in schema else schema


def _by_type(schemas: Mapping[str, JsonSchema]) -> dict[str, Any]:
    return {kind: {"schema": schema} for kind, schema in schemas.items()}
