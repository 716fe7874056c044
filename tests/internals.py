"""Finds what our code uses of other projects without their promise: private names, replaced names, subclasses."""

import ast
import importlib
import inspect
import re
import sys
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGE = "ekiben"
SETTINGS = frozenset({"matplotlib.rcParams"})  # made to be set


def list_rooms() -> frozenset[str]:
    """Return our top-level packages."""
    return frozenset(path.parent.name for path in ROOT.glob("*/__init__.py"))


def list_files(rooms: Collection[str]) -> list[Path]:
    """Return the Python files of these packages."""
    return [file for room in sorted(rooms) for file in sorted((ROOT / room).rglob("*.py"))]


def is_foreign(name: str) -> bool:
    """Return whether a dotted name belongs to another project; Python's own library is none."""
    top = name.partition(".")[0]
    return top not in sys.stdlib_module_names and top != PACKAGE and top not in list_rooms()


@cache
def list_makers() -> dict[str, frozenset[str]]:
    """Return which packages bring each top-level module, or a part of it; looking takes half a second."""
    return {
        top: frozenset(name.lower().replace("_", "-") for name in names)
        for top, names in packages_distributions().items()
    }


def find_internals(listed: set[str]) -> Iterator[str]:
    """Yield a sentence for each use of an internal that is not among these full names."""
    for file in list_files(list_rooms()):
        module = read_module(file)
        for name, line in module.uses:
            if not any(name == one or name.startswith(f"{one}.") or one.startswith(f"{name}.") for one in listed):
                yield f"{file.relative_to(ROOT)}:{line} uses {name}"
        for made in module.classes:
            yield from (f"{file.relative_to(ROOT)} uses {name}" for name in find_inherited(module, made, listed))


@dataclass
class Module(ast.NodeVisitor):
    """What a file imports, which names of others it uses in a way that they don't promise, and its classes."""

    imported: dict[str, str] = field(default_factory=dict)  # the full name of what a name means
    uses: list[tuple[str, int]] = field(default_factory=list)
    classes: list[ast.ClassDef] = field(default_factory=list)

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            top = alias.name.partition(".")[0]
            self.imported[alias.asname or top] = alias.name if alias.asname else top
            self._use_private(alias.name, node.lineno)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        for alias in node.names if not node.level else ():
            name = f"{node.module}.{alias.name}"
            self.imported[alias.asname or alias.name] = name
            self._use_private(name, node.lineno)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self.classes.append(node)
        self.generic_visit(node)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        name = self.name_of(node)
        if name and not self._use_stored(name, node):
            self._use_private(name, node.lineno)
        self.generic_visit(node)

    def visit_Subscript(self, node: ast.Subscript) -> None:
        if name := self.name_of(node.value):
            self._use_stored(name, node)
        self.generic_visit(node)

    def visit_Assign(self, node: ast.Assign) -> None:
        self.generic_visit(node)
        for target in node.targets:
            self._rename(target, node.value)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        self.generic_visit(node)
        self._rename(node.target, node.value)

    def name_of(self, node: ast.AST | None) -> str | None:
        """Return the full name of an expression of names and dots, if its first name is imported."""
        if isinstance(node, ast.Name):
            return self.imported.get(node.id)
        above = self.name_of(node.value) if isinstance(node, ast.Attribute) else None
        return f"{above}.{node.attr}" if above and isinstance(node, ast.Attribute) else None

    def _rename(self, target: ast.AST, value: ast.AST | None) -> None:
        name = self.name_of(value)
        if name and isinstance(target, ast.Name):
            self.imported[target.id] = name

    def _use_stored(self, name: str, node: ast.Attribute | ast.Subscript) -> bool:
        stored = isinstance(node.ctx, ast.Store | ast.Del) and is_foreign(name) and name not in SETTINGS
        if stored:
            self.uses.append((name, node.lineno))
        return stored

    def _use_private(self, name: str, line: int) -> None:
        private = any(part.startswith("_") and not part.endswith("__") for part in name.split("."))
        if private and is_foreign(name):
            self.uses.append((name, line))


@cache
def read_module(file: Path) -> Module:
    """Return what a file says of imports and classes."""
    module = Module()
    module.visit(ast.parse(file.read_text(encoding="utf-8")))
    return module


def find_inherited(module: Module, made: ast.ClassDef, listed: Collection[str]) -> Iterator[str]:
    """Yield what a class uses of the foreign class it is made from: of a listed one anything, else private names."""
    own = {node.name for node in made.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
    own |= {
        node.attr
        for node in ast.walk(made)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "self"
    }
    for base in find_bases(module, made):
        found = import_class(base)
        line = [base, *(f"{one.__module__}.{one.__qualname__}" for one in inspect.getmro(found))] if found else []
        for name in sorted(own):
            checked = not name.endswith("__") and (name.startswith("_") or base in listed)
            if found and checked and gives(found, name) and not any(f"{one}.{name}" in listed for one in line):
                yield f"{base}.{name}"


def find_bases(module: Module, made: ast.ClassDef) -> Iterator[str]:
    """Yield the foreign classes that a class comes from, by way of our own too."""
    for node in made.bases:
        name = module.name_of(node) or (node.id if isinstance(node, ast.Name) else "")
        owner, _, last = name.removeprefix(f"{PACKAGE}.").rpartition(".")
        if owner and is_foreign(name):
            yield name
            continue
        file = ROOT / f"{owner.replace('.', '/')}.py"
        above = read_module(file) if owner and file.exists() else module
        yield from (
            base for one in above.classes if one.name == last and one is not made for base in find_bases(above, one)
        )


@cache
def import_class(name: str) -> type | None:
    """Return another project's class, or None where it is not installed, as the other servers are not."""
    owner, _, last = name.rpartition(".")
    try:
        found = getattr(importlib.import_module(owner), last)
    except (ImportError, AttributeError):
        return None
    return found if inspect.isclass(found) else None


def gives(found: type, name: str) -> bool:
    """Return whether another project's class has that attribute, or gives it to its instances."""
    classes = [one for one in inspect.getmro(found) if is_foreign(one.__module__)]
    return any(name in vars(one) or re.search(rf"self\.{name}\b", read_class(one)) for one in classes)


def read_class(one: type) -> str:
    """Return the source of a class; of a compiled one nothing."""
    try:
        return inspect.getsource(one)
    except (TypeError, OSError):
        return ""
