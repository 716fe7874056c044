"""What a document refers to."""

from collections.abc import Iterator, Mapping
from typing import Any

PREFIX = "#/components/"


def keep_referenced(components: Mapping[str, Mapping[str, Any]], paths: Any) -> dict[str, dict[str, Any]]:
    """Return the components that paths refer to, and those that these refer to."""
    wanted: set[str] = set()
    open_ends = [paths]
    while open_ends:
        for reference in set(find_references(open_ends.pop())) - wanted:
            kind, _, name = reference.removeprefix(PREFIX).partition("/")
            wanted.add(reference)
            open_ends.append(components[kind][name])
    kept = {
        kind: {name: one for name, one in named.items() if f"{PREFIX}{kind}/{name}" in wanted}
        for kind, named in components.items()
    }
    return {kind: named for kind, named in kept.items() if named}


def find_references(value: Any) -> Iterator[str]:
    """Yield every reference in a part of a document."""
    if isinstance(value, Mapping):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for one in value.values():
            yield from find_references(one)
    elif isinstance(value, list):
        for one in value:
            yield from find_references(one)
