"""Where the schema of a version is read from: a file, a package, the BentoML store, or the registry."""

from dataclasses import dataclass
from pathlib import Path

from ekiben.contract.compatibility import Span, read_spans
from ekiben.contract.errors import UserError
from ekiben.contract.reference.reference import REFERENCE_FILE, load_reference
from ekiben.contract.schema import Schema, load_schema
from ekiben.contract.validation import shorten
from ekiben.model.package import SCHEMA_FILE

REGISTRY = "models:/"


class SchemaNotFound(UserError):
    """What is named has no schema."""


@dataclass(frozen=True)
class FoundSchema:
    """A schema, and what its training saw of each number, if that is known."""

    title: str
    schema: Schema
    seen: dict[str, Span] | None


def find_schema(source: str) -> FoundSchema:
    """Return the schema of what is named; raise SchemaNotFound, or another UserError, if there is none."""
    if source.startswith(REGISTRY):
        return _read_registered(source)
    path = Path(source)
    if path.is_dir():
        return _read_package(source, path)
    if path.is_file():
        return FoundSchema(source, load_schema(path), None)
    if "/" in source or source.endswith(".json"):
        raise SchemaNotFound(f"{shorten(source)} is not there: name a schema.json, or the folder of a package")
    from ekiben.model.store import find_model

    name, _, version = source.partition(":")
    return _read_package(source, Path(find_model(name, version).path))


def _read_package(title: str, folder: Path) -> FoundSchema:
    if not (folder / SCHEMA_FILE).is_file():
        raise SchemaNotFound(f"{shorten(title)} holds no {SCHEMA_FILE}: name the folder of a package")
    schema, reference = load_schema(folder / SCHEMA_FILE), folder / REFERENCE_FILE
    return FoundSchema(title, schema, read_spans(load_reference(reference)) if reference.is_file() else None)


def _read_registered(source: str) -> FoundSchema:
    """Return the schema of `models:/NAME@ALIAS` or `models:/NAME/VERSION`."""
    from ekiben.deploy.image.registered import InvalidAddress, parse_address
    from ekiben.training.registry.fetching import find_registered
    from ekiben.training.registry.tracking import existing_store
    from ekiben.training.registry.version_packages import open_package

    try:
        address = parse_address(source)
    except InvalidAddress:
        raise SchemaNotFound(
            f"{shorten(source)} is no version: expected models:/NAME@ALIAS or models:/NAME/VERSION"
        ) from None
    with existing_store(changing=False), open_package(find_registered(*address)) as package:
        return _read_package(source, package)
