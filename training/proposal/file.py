"""Writes a proposal as a problem file that a person goes on with."""

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ekiben.training.problem import InvalidProblem
from ekiben.training.proposal.features import Feature
from ekiben.training.proposal.propose import Proposal
from ekiben.training.proposal.split import ProposedSplit
from ekiben.training.proposal.target import ProposedTarget
from ekiben.training.source_config import FileSource, SqlSource

DELETE = "\x7f"  # the one control character that JSON leaves as it is and TOML does not
GUESSED = "guessed: change it if strings look wrong"
CLASSES_PER_LINE = 10
DECISION = [
    "# The answer changes at a probability of 0.5. Training finds a better one if you say what it is to be good for:",
    "# [decision]",
    '# metric = "f1"  # or "balanced_accuracy"',
    "# Or, in place of a metric, false_alarm = 1 and miss = 5: what each costs; or flag = 0.1: the share of rows.",
]


def write(proposal: Proposal, path: Path) -> None:
    """Write a problem file; raise InvalidProblem if that is impossible."""
    partial = path.with_name(f".{path.name}.part")
    try:
        partial.write_text(render(proposal, path.parent), encoding="utf-8")
        partial.replace(path)
    except OSError as error:
        raise InvalidProblem(f"{path} can't be written: {error.strerror}") from None
    except UnicodeEncodeError:  # bytes in a file's name that are no characters
        raise InvalidProblem(f"{path} can't be written: the table's name is not in UTF-8: rename it") from None
    finally:
        partial.unlink(missing_ok=True)


def render(proposal: Proposal, folder: Path) -> str:
    """Return the text of a problem file that will lie in the folder."""
    sections = [
        _begin(proposal),
        ["[source]", *_render_source(proposal.source, folder)],
        ["[target]", *_render_target(proposal.target)],
        *([DECISION] if proposal.target.column.task == "binary" else []),
        _render_split(proposal.split),
        ["# Only what is known when the prediction is asked for can be a feature.", "[features]"]
        + [_render_feature(name, feature) for name, feature in proposal.features.items()],
        ["[ignored]"] + [f"{to_toml(name)} = {to_toml(reason)}" for name, reason in proposal.ignored.items()],
    ]
    return "\n\n".join(map("\n".join, sections)) + "\n"


def to_toml(value: Any) -> str:
    """Return a string, number, truth, list or table as TOML has it, on one line."""
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{key} = {to_toml(entry)}" for key, entry in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(to_toml, value)) + "]"
    return json.dumps(value, ensure_ascii=False).replace(DELETE, r"\u007f")


def _begin(proposal: Proposal) -> list[str]:
    told = f"Proposed from the {proposal.rows:,} rows of {_on_one_line(proposal.description)}."
    if proposal.unknown:
        told += f" {proposal.unknown:,} of them have no target: they are left out."
    return [f"# {told}", f"name = {to_toml(proposal.name)}"]


def _render_source(source: FileSource | SqlSource, folder: Path) -> Iterator[str]:
    facts = source.model_dump(mode="json", exclude_defaults=True)
    if isinstance(source, FileSource):
        facts["path"] = locate(source.path, folder).as_posix()
    for key, value in facts.items():
        doubtful = key == "encoding" and not value.startswith("utf")  # Unicode is known by its bytes
        yield f"{key} = {to_toml(value)}" + (_remark(GUESSED) if doubtful else "")


def locate(path: Path, folder: Path) -> Path:
    """Return a path as seen from the folder; one that was given as absolute stays so outside of it."""
    parent, folder = path.absolute().parent.resolve(), folder.resolve()
    if path.is_absolute() and not parent.is_relative_to(folder):
        return path
    return Path(os.path.relpath(parent, folder)) / path.absolute().name


def _render_target(target: ProposedTarget) -> Iterator[str]:
    column = target.column
    yield f"name = {to_toml(column.name)}"
    yield f"task = {to_toml(column.task)}" + (_remark(target.remark) if column.task != "binary" else "")
    spelled = column.model_dump(include={"decimal", "grouping", "null", "format", "unit"}, exclude_unset=True)
    yield from (f"{key} = {to_toml(value)}" for key, value in spelled.items())
    if column.task == "binary":
        yield f"classes = {to_toml(column.classes)}{_remark(target.remark)}"
    elif column.classes:
        starts = range(0, len(column.classes), CLASSES_PER_LINE)
        lines = (to_toml(column.classes[start : start + CLASSES_PER_LINE])[1:-1] for start in starts)
        yield from ("classes = [", *(f"    {line}," for line in lines), "]")
    if target.warning:
        yield f"# {_on_one_line(target.warning)}"


def _render_split(split: ProposedSplit) -> list[str]:
    asked = [f"# group = {to_toml(name)}{_remark(question)}" for name, question in split.groups.items()]
    if split.time is None:
        told = f"# No [split]: {_on_one_line(split.remark)}, so the rows are cut at random."
        return [told, *(["# [split]", *asked] if asked else [])]
    spelled = [f"{key} = {to_toml(value)}" for key, value in split.facts.items()]
    return ["[split]", f"time = {to_toml(split.time)}{_remark(split.remark)}", *spelled, *asked]


def _render_feature(name: str, feature: Feature) -> str:
    return f"{to_toml(name)} = {to_toml(feature.facts)}{_remark(feature.remark)}"


def _remark(remark: str) -> str:
    return f"  # {_on_one_line(remark)}" if remark else ""


def _on_one_line(text: str) -> str:
    """Return a string as a comment can hold it."""
    return "".join(letter if letter.isprintable() else " " for letter in text)
