"""The page of the problem file, made from the models that check it."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from ekiben.training.problem import ProblemConfig

BEGINNING = """# problem.toml

Every entry that a problem file may have; one that is not here is an error. `ekiben init` writes the file, and
`docs/tables.md` explains what it says of columns. Types are TOML's.
"""
HEAD = "| entry | type | default | |\n|---|---|---|---|\n"
SOURCES = {"BuiltInSource": "a built-in table", "FileSource": "a file or a folder", "SqlSource": "a database"}
FORMATS = {"path": "string", "date": "date", "date-time": "date-time"}
Schema = Mapping[str, Any]


def render_problem_file() -> str:
    """Return the page as Markdown."""
    whole = ProblemConfig.model_json_schema()
    return "\n".join([BEGINNING, *_render(whole, "", whole["$defs"])])


def _render(model: Schema, name: str, models: Mapping[str, Schema], kind: str = "") -> Iterator[str]:
    """Yield the section of a table of the file, and those of the tables in it."""
    tables = {entry: found for entry, facts in model["properties"].items() if (found := _find_tables(facts))}
    title = f"`{name}`{kind}" if name else "At the top"
    plain = {entry: facts for entry, facts in model["properties"].items() if entry not in tables}
    rows = [_describe(entry, facts, entry in model.get("required", ())) for entry, facts in plain.items()]
    yield f"## {title}\n\n{_join(model['description'])}\n\n{HEAD}{''.join(rows)}"
    for entry, found in tables.items():
        for reference in found:
            inner = _name_table(name.strip("[]"), entry, model["properties"][entry])
            about = f": {SOURCES[reference]}" if reference in SOURCES else ""
            yield from _render(models[reference], inner, models, about)


def _name_table(outer: str, entry: str, facts: Schema) -> str:
    name = f"{outer}.{entry}" if outer else entry
    if "additionalProperties" in facts:
        return f"[{name}.NAME]"
    return f"[[{name}]]" if "items" in facts else f"[{name}]"


def _find_tables(facts: Schema) -> list[str]:
    """Return the models of the tables that an entry may be."""
    parts = [facts, *facts.get("anyOf", ()), *facts.get("oneOf", ()), facts.get("items", {})]
    parts += [extra] if isinstance(extra := facts.get("additionalProperties"), dict) else []
    return [part["$ref"].rpartition("/")[2] for part in parts if "$ref" in part]


def _describe(entry: str, facts: Schema, required: bool) -> str:
    about = _join(facts["description"])
    unsaid = facts.get("default") in (None, "", [], {}) or "default:" in about
    default = "required" if required else "" if unsaid else f"`{json.dumps(facts['default'])}`"
    return f"| `{entry}` | {_name_type(facts)} | {default} | {about} |\n"


def _name_type(facts: Schema) -> str:
    """Return what values an entry takes, in TOML's words."""
    parts = [one for one in facts.get("anyOf", ()) if one.get("type") != "null"]
    if parts:
        return " or ".join(_name_type(part) for part in parts)
    if values := facts.get("enum", [facts["const"]] if "const" in facts else []):
        return " or ".join(f"`{json.dumps(value, ensure_ascii=False)}`" for value in values)
    if facts.get("type") == "array":
        return f"array of {_name_type(facts['items'])}"
    if facts.get("type") == "object":
        return f"table of {_name_type(facts['additionalProperties'])}"
    return FORMATS.get(facts.get("format", ""), str(facts["type"]))


def _join(text: str) -> str:
    return " ".join(text.split())
