"""`ekiben init`: looks at a table and writes a problem file to go on with."""

import re
import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ekiben.contract.text_lines import printable
from ekiben.contract.validation import show
from ekiben.training.home import find_problem_file, make_home
from ekiben.training.problem import InvalidProblem
from ekiben.training.progress import show_progress
from ekiben.training.proposal.file import write
from ekiben.training.proposal.propose import Proposal, propose
from ekiben.training.proposal.target import ProposedTarget
from ekiben.training.source_config import FileSource, SqlSource
from ekiben.training.sources import NOTHING, find_source

LONGEST_NAME = 40
SHOWN = 12  # names in a line, and lines of a kind
PLURAL = {"number": "numbers", "category": "categories", "boolean": "booleans", "timestamp": "timestamps"}
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_FROM = re.compile(r'\bfrom\s+(?:[\w"`\[\]]+\.)?["`\[]?(\w+)', re.IGNORECASE)


def init(
    table: str,
    target: str,
    *,
    query: str | None,
    spelling: Mapping[str, Any] = NOTHING,
    name: str | None,
    time: str | None,
    output: Path | None,
    force: bool,
) -> None:
    """Read a table, propose a problem, print what was found and write the problem file.

    Raises InvalidTable or InvalidProblem, of which nothing is written.
    """
    if name is not None and not _NAME.fullmatch(name):
        raise InvalidProblem(f"{show(name)} can't be a name: use small letters, digits and _, a letter first")
    make_home()
    is_default, output = output is None, output or find_problem_file()
    if output.exists() and not force:
        raise InvalidProblem(f"{output} is there already: add --force to write over it, or -o another.toml")
    if not output.parent.is_dir():
        raise InvalidProblem(f"{output} can't be written: there is no folder {output.parent}")
    source = find_source(table, query, spelling)
    with show_progress("reading") as report:
        proposal = propose(source, target, name=name or choose_name(source), time=time, report=report)
    print(describe(proposal))
    write(proposal, output)
    option = "" if is_default else f" --problem {output}"
    print(f"wrote {output}: look it through, then `ekiben train{option}`")


def describe(proposal: Proposal) -> str:
    """Return what was found in a few lines."""
    lines = [f"{proposal.description}: {proposal.rows:,} rows, {_count_columns(proposal):,} columns"]
    target = proposal.target
    lines.append(f"  target    {show_name(target.column.name)}: {target.column.task}{_describe_classes(target)}")
    lines.append(f"  split     {_describe_split(proposal)}")
    lines += _indent("group?", [f"{show_name(name)}: {question}" for name, question in proposal.split.groups.items()])
    lines += _indent("features", _describe_features(proposal))
    doubts = {name: feature.doubt for name, feature in proposal.features.items() if feature.doubt}
    lines += _indent("doubts", [f"{show_name(name)}: {printable(doubt)}" for name, doubt in doubts.items()])
    lines += _indent("ignored", [f"{show_name(name)}: {reason}" for name, reason in proposal.ignored.items()])
    if proposal.unknown:
        lines.append(f"  left out  {proposal.unknown:,} rows without {show_name(target.column.name)}")
    lines += [f"  note      {note}" for note in (target.warning, *proposal.notes) if note]
    return "\n".join(lines)


def show_name(name: str) -> str:
    """Return a column's name as a line can hold it."""
    return show(name)[1:-1] or "(unnamed)"


def choose_name(source: FileSource | SqlSource) -> str:
    """Return a name after the file, or after the query's table, made of what a name may have."""
    if isinstance(source, FileSource):
        given = source.path.absolute().name.partition(".")[0]
    else:
        found = _FROM.search(source.query)
        given = found[1] if found else ""
    plain = unicodedata.normalize("NFKD", given).encode("ascii", "ignore").decode().lower()
    name = re.sub(r"[^a-z0-9]+", "_", plain).strip("_")[:LONGEST_NAME].strip("_")
    return name if _NAME.fullmatch(name) else f"table_{name}".strip("_")


def _count_columns(proposal: Proposal) -> int:
    return 1 + len(proposal.features) + len(proposal.ignored)


def _describe_classes(target: ProposedTarget) -> str:
    classes = target.column.classes
    if target.column.task == "regression":
        return f", {target.remark}"
    if target.column.task == "binary":
        return f", the probability of {show(classes[-1])} ({target.share:.1%} of the rows) against {show(classes[0])}"
    return f", {len(classes)} classes: {_list([show(label) for label in classes])}"


def _describe_split(proposal: Proposal) -> str:
    split = proposal.split
    if split.time is None:
        return f"at random: {split.remark}"
    return f"by time, {show_name(split.title)}" + (f": {split.remark}" if split.remark else "")


def _describe_features(proposal: Proposal) -> list[str]:
    by_kind: dict[str, list[str]] = {}
    for name, feature in proposal.features.items():
        by_kind.setdefault(feature.facts["kind"], []).append(show_name(name))
    counted = ((len(names), PLURAL[kind] if len(names) > 1 else kind, names) for kind, names in by_kind.items())
    return [f"{count} {kind}: {_list(names)}" for count, kind, names in counted]


def _indent(title: str, lines: list[str]) -> list[str]:
    shown = lines[:SHOWN] + ([f"… and {len(lines) - SHOWN:,} more"] if len(lines) > SHOWN else [])
    return [f"  {title if index == 0 else '':9} {line}" for index, line in enumerate(shown)]


def _list(names: list[str]) -> str:
    return ", ".join(names[:SHOWN]) + (", …" if len(names) > SHOWN else "")
