"""A route's template as OpenAPI's paths."""

import re
from collections.abc import Iterator
from urllib.parse import quote

OPTIONAL = re.compile(r"(?<!\\)\[([^\[\]]*)\]")
ESCAPED = re.compile(r"\\([\\\[\]{}])")  # as `ekiben.service.http.router.escape` writes it
NAME = re.compile(r"\{(\w+)\}")


def expand_template(template: str) -> Iterator[str]:
    """Yield the paths of a template, without and with each part that may be left out."""
    matched = OPTIONAL.search(template)
    if matched is None:
        yield ESCAPED.sub(lambda escaped: quote(escaped[1]), template)
        return
    before, after = template[: matched.start()], template[matched.end() :]
    yield from expand_template(before + after)
    yield from expand_template(before + matched.group(1) + after)


def list_names(path: str) -> list[str]:
    """Return the names in a path."""
    return NAME.findall(path)


def name_operation(method: str, path: str) -> str:
    """Return an operation's id, from which generators of clients make a function's name."""
    words = re.findall(r"\w+", path) or ["root"]
    return "_".join((method.lower(), *words))
