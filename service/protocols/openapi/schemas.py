"""JSON Schemas as the document has them: pydantic's made plain, and what names and descriptions hold made text."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from ekiben.service.protocols.openapi.markup import escape_markup
from ekiben.service.protocols.protocol import Described

REFERENCE = "#/components/schemas/{model}"
NAMED = ("properties", "$defs", "patternProperties")  # schemas by names, which may be anything
LISTED = ("anyOf", "oneOf", "allOf", "prefixItems")
ALONE = ("items", "additionalProperties")
# They say something of one type only, so that those of several types can stand side by side.
OF_ONE_TYPE = frozenset(
    ("type", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "pattern", "format")
)


class SchemaCollector:
    """Turns what operations say into schemas, and keeps those of pydantic's models, by name."""

    def __init__(self) -> None:
        self.found: dict[str, Any] = {}

    def describe(self, described: Described) -> dict[str, Any]:
        """Return a schema; a pydantic model's is kept, and what is returned refers to it."""
        if not isinstance(described, type):
            return plain(described)
        self._keep(described)
        return {"$ref": REFERENCE.format(model=described.__name__)}

    def _keep(self, model: type[BaseModel]) -> None:
        if model.__name__ in self.found:
            return
        schema = model.model_json_schema(ref_template=REFERENCE, mode="serialization")
        defined = schema.pop("$defs", {})
        self.found |= {name: plain(_require_kinds(one)) for name, one in ({model.__name__: schema} | defined).items()}


def _require_kinds(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return an object's schema in which what can be one thing only is required: by it others are told apart."""
    kinds = [name for name, one in schema.get("properties", {}).items() if "const" in one]
    required = [*schema.get("required", ()), *kinds]
    return {**schema, "required": list(dict.fromkeys(required))} if kinds else dict(schema)


def plain(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return a schema without pydantic's titles, with `type: [..., null]` for what may be null."""
    made = {key: value for key, value in schema.items() if key != "title"}
    for key in NAMED:
        if key in made:
            made[key] = {name: plain(one) for name, one in made[key].items()}
    for key in LISTED:
        if key in made:
            made[key] = [plain(one) for one in made[key]]
    for key in ALONE:
        if isinstance(made.get(key), Mapping):
            made[key] = plain(made[key])
    if "prefixItems" in made:
        made |= _unite_items(made.pop("prefixItems"))
    if "description" in made:
        made["description"] = escape_markup(made["description"])
    return _unite_types(made)


def _unite_items(listed: list[dict[str, Any]]) -> dict[str, Any]:
    """Return what is said of a tuple's items; nearly no generator of clients knows `prefixItems`."""
    kinds = [one for index, one in enumerate(listed) if one not in listed[:index]]
    return {"items": kinds[0] if len(kinds) == 1 else {"anyOf": kinds}}


def _unite_types(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a choice between types as one list of types, if nothing in it is of more than one type."""
    choices = schema.get("anyOf", ())
    keys = [key for one in choices for key in one if key != "type"]
    simple = choices and all(isinstance(one.get("type"), str) and one.keys() <= OF_ONE_TYPE for one in choices)
    if not simple or len(set(keys)) < len(keys):
        return schema
    united: dict[str, Any] = {}
    for one in choices:
        united |= one
    others = {key: value for key, value in schema.items() if key != "anyOf"}
    return {**united, "type": [one["type"] for one in choices], **others}
