"""`ekiben compare-schema`: who changes first, the service or its callers; what is heavy is imported only as it runs."""

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ekiben.contract.schema_change import SchemaChange
    from ekiben.pipeline.schema_sources import FoundSchema

ABOUT = "say who changes first from one version's schema to another's: the service or its callers"
SOURCE = "a schema.json, a package's folder, NAME or NAME:VERSION of the BentoML store, models:/NAME@ALIAS or /VERSION"
EXIT_CODES = {"safe": 0, "breaking": 3, "service first": 4, "clients first": 5}


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the two versions."""
    parser.add_argument("old", metavar="A", help=f"what answers now: {SOURCE}")
    parser.add_argument("new", metavar="B", help="what is to answer, named likewise")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    codes = ", ".join(f"{code} {verdict}" for verdict, code in EXIT_CODES.items())
    parser.epilog = f"The exit codes are {codes}; 2 if a schema can't be read. docs/schema_changes.md says what to do."


def run(options: argparse.Namespace) -> int:
    """Print the verdict; the exit code says which it is."""
    import json

    from ekiben.contract.schema_change import compare_schemas
    from ekiben.pipeline.schema_sources import find_schema

    old, new = find_schema(options.old), find_schema(options.new)
    change = compare_schemas(old.schema, new.schema, old.seen, new.seen)
    if options.json:
        print(json.dumps({"old": old.title, "new": new.title} | change.describe(), ensure_ascii=False))
    else:
        print(render(old, new, change))
    return EXIT_CODES[change.verdict]


def render(old: "FoundSchema", new: "FoundSchema", change: "SchemaChange") -> str:
    """Return the verdict, a line for each difference, and what to do."""
    from ekiben.contract.schema_change import IGNORE

    lines = [f"{old.title} → {new.title}: {change.verdict}"]
    ways = ("old callers, new service", change.by_old_callers), ("new callers, old service", change.by_new_callers)
    for title, differences in ways:
        lines.append(f"{title}: {'' if differences else 'all is taken'}".rstrip())
        lines += [f"  {one}{f' (passes with {IGNORE})' if one.ignorable else ''}" for one in differences]
    lines += [f"{number}. {step}" for number, step in enumerate(change.steps, 1)]
    return "\n".join([*lines, f"back: {change.way_back}", *(f"note: {note}" for note in change.notes)])
