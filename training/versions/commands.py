"""`ekiben data`: its options, and what it runs; what is heavy is imported only as it runs."""

import argparse
from typing import TYPE_CHECKING

from ekiben.training.arguments import positive

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]

ABOUT = "list, compare and remove the tables that are kept"
DIGEST = "a table's digest, as `list` shows it, or its beginning"


def add_commands(commands: "Commands") -> None:
    """Add the command."""
    description = f"{ABOUT[0].upper()}{ABOUT[1:]}."
    data = commands.add_parser("data", help=ABOUT, description=description, allow_abbrev=False)
    actions = data.add_subparsers(required=True, metavar="ACTION")
    listing = actions.add_parser("list", help="show the tables that are kept, the last first", allow_abbrev=False)
    listing.set_defaults(run=show)
    diff = actions.add_parser("diff", help="say what changed from one table to another", allow_abbrev=False)
    diff.add_argument("before", metavar="A", help=DIGEST)
    diff.add_argument("after", metavar="B", help=DIGEST)
    diff.set_defaults(run=compare)
    prune = actions.add_parser("prune", help="remove tables that nothing names", allow_abbrev=False)
    prune.add_argument("--keep", type=positive, required=True, metavar="N", help="the last N tables stay")
    prune.add_argument(
        "--older-than", type=positive, metavar="DAYS", help="those since then stay, too; older records go"
    )
    prune.add_argument("--dry-run", action="store_true", help="only say what would be removed")
    prune.set_defaults(run=remove)


def show(options: argparse.Namespace) -> None:
    """Print the tables that are kept."""
    from ekiben.training.versions.folder import open_folder
    from ekiben.training.versions.kept_table import GROUPS, list_kept
    from ekiben.training.versions.named import find_named
    from ekiben.training.versions.report import format_tables

    folder = open_folder()
    tables = list_kept(folder)
    if not tables:
        print(f"no table is kept in {folder}: `ekiben train --keep-table` keeps one")
        return
    print(format_tables(tables, folder.list(f"{GROUPS}/*/*.parquet"), find_named()))


def compare(options: argparse.Namespace) -> None:
    """Print what changed."""
    from ekiben.training.versions.diff import compare as run
    from ekiben.training.versions.folder import open_folder
    from ekiben.training.versions.kept_table import find_digest, read_kept
    from ekiben.training.versions.report import format_difference

    folder = open_folder()
    before, after = (read_kept(folder, find_digest(folder, given)) for given in (options.before, options.after))
    print(format_difference(run(folder, before, after)))


def remove(options: argparse.Namespace) -> None:
    """Remove old records of the pipeline, then tables, and print which."""
    from datetime import UTC, datetime, timedelta

    from ekiben.training.redaction import redact_uri
    from ekiben.training.registry.store import read_uri
    from ekiben.training.versions.folder import open_folder
    from ekiben.training.versions.named import find_named
    from ekiben.training.versions.old_records import count_bytes, find_old, remove_records
    from ekiben.training.versions.prune import prune
    from ekiben.training.versions.report import format_pruned, format_records

    before = datetime.now(UTC) - timedelta(days=options.older_than) if options.older_than else None
    old = find_old(before) if before else []
    named = find_named(without=old)
    if old:
        print(format_records(len(old), count_bytes(old), options.dry_run))
    if not options.dry_run:
        remove_records(old)
    print(f"{len(named)} data digests are named by versions and runs in {redact_uri(read_uri())} and by records")
    pruned = prune(open_folder(), named, options.keep, before, options.dry_run)
    print(format_pruned(pruned, options.dry_run))
