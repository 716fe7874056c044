"""The command line of `ekiben`: the rooms' commands in groups, in the order of a model's life."""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ekiben.commands import completion, serve
from ekiben.contract.version import VERSION
from ekiben.deploy.image import command as image
from ekiben.load_tests import commands as load_tests
from ekiben.monitoring import commands as monitoring
from ekiben.monitoring.canary import commands as canary
from ekiben.pipeline import commands as pipeline
from ekiben.pipeline import schema_command as schemas
from ekiben.pipeline.lineage import commands as lineage
from ekiben.pipeline.triggers import commands as triggers
from ekiben.training import commands as training
from ekiben.training.adaptation import commands as adaptation
from ekiben.training.checks.alarms import commands as alarms
from ekiben.training.exploring import commands as exploring
from ekiben.training.process import STOPPED
from ekiben.training.report import commands as report
from ekiben.training.truth import commands as truth
from ekiben.training.versions import commands as versions

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]

DESCRIPTION = "A table goes in, a production inference service comes out."
NAME_WIDTH = 15
EPILOG = """State is in the working folder, or in EKIBEN_HOME; packed models are in ~/bentoml, or in BENTOML_HOME.
`ekiben COMMAND --help` shows a command's options."""


@dataclass(frozen=True)
class Group:
    """Commands that belong together, and which extra of the package they need, if one."""

    title: str
    add: Callable[["Commands"], None]
    stopped: str = "interrupted"
    extra: str = ""


class GroupedParser(argparse.ArgumentParser):
    """A parser whose help has its commands in groups, which argparse has not."""

    sections: tuple[str, ...] = ()

    def format_help(self) -> str:
        """Return the usage, the groups and the options."""
        options = show_group("options", {"-h, --help": "show this help", "--version": "show the version"})
        return "\n\n".join([self.format_usage() + f"\n{DESCRIPTION}", *self.sections, options, EPILOG]) + "\n"


def add_one(
    name: str, about: str, add_options: Callable[[argparse.ArgumentParser], None], run: Callable[..., int | None]
) -> Callable[["Commands"], None]:
    """Return what adds a command whose module has its options and runs it."""

    def add(commands: "Commands") -> None:
        description = f"{about[0].upper()}{about[1:]}."
        parser = commands.add_parser(name, help=about, description=description, allow_abbrev=False)
        add_options(parser)
        parser.set_defaults(run=run)

    return add


SERVING = "answer over HTTP and gRPC; any other option, such as --port, is one of `bentoml serve`"
BUILDING = "build the OCI image of the packed model"
COMPLETING = "print the script that completes commands and options in a shell"
GROUPS = (
    Group("a table becomes a model", exploring.add_commands, extra=exploring.EXTRA),
    Group("a table becomes a model", training.add_building, STOPPED),
    Group("one model is chosen", training.add_choosing, STOPPED),
    Group("one model is chosen", report.add_commands, STOPPED),
    Group("one model is chosen", add_one("compare-schema", schemas.ABOUT, schemas.add_options, schemas.run)),
    Group("it answers", training.add_scoring),
    Group("it answers", add_one("serve", SERVING, serve.add_options, serve.run)),
    Group("it answers", add_one("image", BUILDING, image.add_options, image.run)),
    Group("it is watched", monitoring.add_commands),
    Group("it is watched", canary.add_commands),
    Group("it is watched", truth.add_commands),
    Group("it is watched", alarms.add_commands),
    Group("it is made again", pipeline.add_commands, STOPPED),
    Group("it is made again", triggers.add_commands),
    Group("it is made again", adaptation.add_commands, STOPPED),
    Group("it is made again", versions.add_commands, STOPPED),
    Group("it is made again", lineage.add_commands, extra="signing"),
    Group("it is measured", load_tests.add_commands, extra="load"),
    Group("this command", add_one("completion", COMPLETING, completion.add_options, completion.run)),
)


def build_parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    parser = GroupedParser(prog="ekiben", description=DESCRIPTION, allow_abbrev=False)
    parser.add_argument("--version", action="version", version=f"ekiben {VERSION}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", parser_class=argparse.ArgumentParser)
    listed: dict[str, dict[str, str]] = {}
    for group in GROUPS:
        before = set(commands.choices)
        group.add(commands)
        for name, command in commands.choices.items():
            if name not in before:
                command.set_defaults(extra=group.extra, stopped=group.stopped)
                listed.setdefault(group.title, {})[name] = command.description or ""
    parser.sections = tuple(show_group(title, lines) for title, lines in listed.items())
    return parser


def show_group(title: str, lines: dict[str, str]) -> str:
    """Return a title and a line for each name."""
    return "\n".join([f"{title}:", *(f"  {name:{NAME_WIDTH}}{about}" for name, about in lines.items())])
