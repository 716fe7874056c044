"""The digest of the code that a step runs: its module and all of ours that it imports, found without running them."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from ekiben.training.digests import ROOT, digest_files

PACKAGE = "ekiben"


@cache
def digest_code(module: str) -> str:
    """Return the SHA-256 of a module and of all of this package's that it imports, wherever in them."""
    return digest_files(find_modules(module))


def find_modules(module: str) -> dict[str, Path]:
    """Return a module of this package and those that it needs, by name, with their files."""
    found: dict[str, Path] = {}
    waiting = [module]
    while waiting:
        name = waiting.pop()
        path = locate(name)
        if path is None or name in found:
            continue
        found[name] = path
        waiting += [name.rpartition(".")[0], *read_imports(path)]
    return found


def locate(module: str) -> Path | None:
    """Return the file of a module of this package; None of any other name."""
    package, *parts = module.split(".")
    if package != PACKAGE:
        return None
    path = ROOT.joinpath(*parts)
    files = (path / "__init__.py", path.with_name(f"{path.name}.py"))
    return next((file for file in files if file.is_file()), None)


@cache
def read_imports(path: Path) -> tuple[str, ...]:
    """Return the names that may be modules of this package among those that a file imports."""
    return tuple(name for name in _find_names(ast.parse(path.read_bytes())) if name.startswith(f"{PACKAGE}."))


def _find_names(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)  # a module, or a name in one
