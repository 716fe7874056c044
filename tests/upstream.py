"""What we use of other projects without their promise, as `docs/upstream.md` lists it, and whether it is still so.

`python -m tests.upstream` prints what has changed and what is not listed, as JSON. It imports all of these packages.
"""

import importlib
import inspect
import json
import os
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from types import ModuleType
from typing import Any

from tests.internals import find_internals, gives

LIST = Path(__file__).parent.parent / "docs" / "upstream.md"
CELLS = 5
SPAN = re.compile(r"`([^`]+)`")
NAME = re.compile(r"(?P<name>\.?[\w.]+)(?:\((?P<parameters>[^()]*)\))?")


@dataclass(frozen=True)
class Liberty:
    """One row of the list."""

    uses: tuple[str, ...]  # the first is a full name
    place: str
    reason: str
    upstream: str
    instead: str

    @property
    def owner(self) -> str:
        """The name that the others belong to."""
        return self.uses[0].partition("(")[0]

    @property
    def names(self) -> Iterator[str]:
        """Every name in full."""
        for use in self.uses:
            if found := NAME.fullmatch(use):
                yield self.owner + found["name"] if use.startswith(".") else found["name"]


def read_list(text: str) -> list[Liberty]:
    """Return the rows of all tables."""
    rows = [line.strip().strip("|").split(" | ") for line in text.splitlines() if line.startswith("| `")]
    broken = [row[0] for row in rows if len(row) != CELLS]
    if broken:
        raise ValueError(f"expected {CELLS} cells in the row of {broken[0]}")
    return [Liberty(tuple(SPAN.findall(uses.strip())), *map(str.strip, others)) for uses, *others in rows]


def find_changes(liberty: Liberty) -> Iterator[str]:
    """Yield what is not so any more of one row."""
    try:
        module, owner = resolve(liberty.owner)
    except (ImportError, AttributeError) as error:
        yield f"`{liberty.owner}` is gone ({error})"
        return
    for use in liberty.uses:
        if use.startswith('"'):
            if use[1:-1] not in read_source(owner, module):
                yield f"the source of `{liberty.owner}` no longer has {use}"
        elif found := NAME.fullmatch(use):
            yield from _check_name(owner, liberty.owner, found["name"], found["parameters"])
        else:
            yield f"`{use}` is neither a name nor a piece of source in quotes"


def _check_name(owner: Any, owner_name: str, name: str, parameters: str | None) -> Iterator[str]:
    full = owner_name + name if name.startswith(".") else name
    if not has(owner, name):
        yield f"`{full}` is gone"
    elif parameters is not None:
        found = getattr(owner, name[1:]) if name.startswith(".") else owner
        now = ", ".join(inspect.signature(found).parameters)
        if now != parameters:
            yield f"`{full}` takes ({now}) instead of ({parameters})"


def has(owner: Any, name: str) -> bool:
    """Return whether a dotted name is an attribute, or one that the class gives to its instances."""
    if not name.startswith(".") or hasattr(owner, name[1:]):
        return True
    return inspect.isclass(owner) and gives(owner, name[1:])


def resolve(name: str) -> tuple[ModuleType, Any]:
    """Return what a dotted name means and its module; raise ImportError or AttributeError if it means nothing."""
    parts = name.split(".")
    for end in range(len(parts), 0, -1):
        path = ".".join(parts[:end])
        try:
            module = importlib.import_module(path)
        except ModuleNotFoundError as error:
            if end == 1 or not path.startswith(str(error.name)):
                raise
            continue
        return module, reduce(getattr, parts[end:], module)
    raise ImportError(name)


def read_source(thing: Any, module: ModuleType) -> str:
    """Return the source of a class or function, else of its module; of a compiled module its bytes."""
    try:
        return inspect.getsource(thing)
    except (TypeError, OSError):
        file = Path(str(module.__file__))
    written = file.with_name(f"{file.name.partition('.')[0]}.pyx")  # some packages have it beside
    return (written if written.exists() else file).read_bytes().decode("latin-1")


def describe_change(liberty: Liberty, change: str) -> str:
    """Return the sentence for somebody who upgrades."""
    return f"{change}; used in {liberty.place}: {liberty.reason}; upstream: {liberty.upstream}; else: {liberty.instead}"


def report(liberties: Sequence[Liberty]) -> dict[str, list[str]]:
    """Return what has changed, and what our code uses that is not listed."""
    changed = [describe_change(one, change) for one in liberties for change in find_changes(one)]
    return {"changed": changed, "unlisted": sorted(find_internals({name for one in liberties for name in one.names}))}


if __name__ == "__main__":
    os.environ["LOCUST_SKIP_MONKEY_PATCH"] = "1"  # else it replaces Python's sockets as it is imported
    json.dump(report(read_list(LIST.read_text(encoding="utf-8"))), sys.stdout)
