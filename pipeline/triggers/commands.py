"""`ekiben watch` and `ekiben decisions`: their options, and what they run; what is heavy is imported only then."""

import argparse
import os
import shlex
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from ekiben.contract.report_output import add_format
from ekiben.monitoring.canary.commands import read_duration_s
from ekiben.training.arguments import add_problem

if TYPE_CHECKING:
    from ekiben.pipeline.triggers.events.listening import Listener
    from ekiben.pipeline.triggers.watcher import Watcher

    Commands = argparse._SubParsersAction[argparse.ArgumentParser]

HERE = "127.0.0.1"
RUN = "ekiben run --event EVENT"


def add_commands(commands: "Commands") -> None:
    """Add both."""
    add_watch(commands)
    add_decisions(commands)


def add_watch(commands: "Commands") -> None:
    """Add the command that watches."""
    about = "train again when [retrain] of the problem file says so"
    watch = commands.add_parser("watch", help=about, description=f"{about[0].upper()}{about[1:]}.", allow_abbrev=False)
    add_problem(watch)
    watch.add_argument(
        "--service",
        action="append",
        default=[],
        metavar="URL",
        help="whose alarms count; repeatable: name all replicas",
    )
    watch.add_argument("--log", metavar="FOLDER", help="the row log, with labels (default: data/log, if it is there)")
    watch.add_argument(
        "--every", type=read_duration_s, default=300.0, metavar="TIME", help="between two looks (default: 5m)"
    )
    watch.add_argument("--once", action="store_true", help="look once, wait for the run, and exit with its code")
    watch.add_argument("--listen", type=read_address, metavar="HOST:PORT", help=f"take events here (HOST: {HERE})")
    watch.add_argument("--do", type=read_command, metavar="COMMAND", help=f"what a run is (default: {RUN})")
    watch.epilog = (
        "COMMAND gets --event and the event as JSON; no shell runs it. WATCH_TOKEN is what callers of --listen must "
        "send, AUTH_TOKEN is sent to services."
    )
    watch.set_defaults(run=lambda options: run_watch(watch, options))


def add_decisions(commands: "Commands") -> None:
    """Add the command that lists what was decided."""
    about = "list what `ekiben watch` decided, also not to train, and why"
    listing = commands.add_parser(
        "decisions", help=about, description=f"{about[0].upper()}{about[1:]}.", allow_abbrev=False
    )
    add_problem(listing)
    add_format(listing, "text", "json")
    listing.set_defaults(run=run_decisions)


def run_watch(parser: argparse.ArgumentParser, options: argparse.Namespace) -> int:
    """Watch until it is interrupted; with --once return the exit code of the run, 0 without one."""
    from ekiben.pipeline.triggers.memory import Memory
    from ekiben.pipeline.triggers.starting import build_lookout, find_rules
    from ekiben.pipeline.triggers.watch import Saying, watch, watch_once
    from ekiben.pipeline.triggers.watcher import Watcher
    from ekiben.training.problem import load_problem

    if options.once and options.listen:
        parser.error("--once goes without --listen")
    problem, saying = load_problem(options.problem), Saying()
    rules = find_rules(problem, bool(options.listen))
    lookout = build_lookout(problem, rules, options.service, options.log)
    command = options.do or [sys.executable, "-m", "ekiben.commands", "run", *_pass_on(options.problem)]
    watcher = Watcher(problem.name, rules, Memory(problem.name), command, saying.say)
    if options.once:
        return watch_once(watcher, lookout, saying)
    with ExitStack() as at_the_end:  # the listener stops first: an event would start a run that nobody ends
        at_the_end.callback(lambda: watcher.child.stop() if watcher.child else None)
        if listener := _listen(options, watcher):
            at_the_end.callback(listener.stop)
        watch(watcher, lookout, saying, options.every)
    return 0


def run_decisions(options: argparse.Namespace) -> None:
    """Print the records."""
    import json

    from ekiben.pipeline.triggers.decision_text import list_lines
    from ekiben.pipeline.triggers.memory import find_decisions
    from ekiben.training.problem import load_problem

    records = find_decisions(load_problem(options.problem).name).read()
    lines = [json.dumps(records, indent=1)] if options.format == "json" else list_lines(records)
    sys.stdout.writelines(f"{line}\n" for line in lines)


def read_address(text: str) -> tuple[str, int]:
    """Return host and port of HOST:PORT, [IPv6]:PORT or PORT."""
    host, _, port = text.rpartition(":")
    if not (port.isascii() and port.isdigit() and int(port) < 1 << 16):
        raise argparse.ArgumentTypeError(f"expected HOST:PORT or PORT, such as {HERE}:8090, got {text!r}")
    return host.strip("[]") or HERE, int(port)


def read_command(text: str) -> list[str]:
    """Return the words of a command, as a shell would cut it."""
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not a command ({str(error).lower()})") from None
    if not words:
        raise argparse.ArgumentTypeError("expected a command")
    return words


def _pass_on(problem: Path | None) -> list[str]:
    return ["--problem", str(problem)] if problem else []


def _listen(options: argparse.Namespace, watcher: "Watcher") -> "Listener | None":
    if not options.listen:
        return None
    from ekiben.contract.errors import UserError
    from ekiben.pipeline.triggers.events.listening import Listener
    from ekiben.pipeline.triggers.run import TOKEN
    from ekiben.pipeline.triggers.starting import list_instances

    token = os.environ.get(TOKEN, "")
    if not token or not all("!" <= character <= "~" for character in token):
        raise UserError(f"--listen needs {TOKEN}, ASCII without spaces: whoever sends it starts trainings")
    listener = Listener(watcher, options.listen, token, list_instances(options.service))
    watcher.say(f"takes events on {options.listen[0]}:{listener.port}")
    return listener
