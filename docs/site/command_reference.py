"""The page of the commands, as `--help` prints them."""

import argparse
import os
from collections.abc import Iterator
from contextlib import contextmanager

from ekiben.commands.parser import GROUPS, build_parser

WIDTH = "100"
BEGINNING = """# Commands

What `--help` prints, of `ekiben` itself and of each command; `make` lists the commands of a clone.
"""


def render_commands() -> str:
    """Return the page as Markdown."""
    with _wide():
        parts = [BEGINNING, _show(build_parser())]
        for title, commands in list_commands().items():
            parts.append(f"## {title[:1].upper()}{title[1:]}\n")
            for command in commands.values():
                parts += [f"### {one.prog}\n\n{_show(one)}" for one in _list_nested(command)]
    return "\n".join(parts)


def list_commands() -> dict[str, dict[str, argparse.ArgumentParser]]:
    """Return the commands of each group, by their names."""
    listed: dict[str, dict[str, argparse.ArgumentParser]] = {}
    found: set[str] = set()
    for group in GROUPS:
        commands = argparse.ArgumentParser(prog="ekiben").add_subparsers()
        group.add(commands)
        names = [name for name in commands.choices if name not in found]
        found.update(names)
        listed.setdefault(group.title, {}).update({name: commands.choices[name] for name in names})
    return listed


def _list_nested(command: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """Yield a command, and the commands below it, of which argparse has no public list."""
    yield command
    for action in command._actions:
        if isinstance(action, argparse._SubParsersAction):
            for below in action.choices.values():
                yield from _list_nested(below)


def _show(parser: argparse.ArgumentParser) -> str:
    return f"```text\n{parser.format_help().strip()}\n```\n"


@contextmanager
def _wide() -> Iterator[None]:
    """Let argparse break its lines at one width on every terminal."""
    before = os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = WIDTH
    try:
        yield
    finally:
        os.environ.pop("COLUMNS") if before is None else os.environ.update(COLUMNS=before)
