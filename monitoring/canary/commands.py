"""`ekiben canary`: its options, and what it runs; what is heavy is imported only as it runs."""

import argparse
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ekiben.monitoring.canary.services import Service

    Commands = argparse._SubParsersAction[argparse.ArgumentParser]

STEPPED_BACK = 3  # the exit code
UNITS_S = {"s": 1.0, "m": 60.0, "h": 3600.0}


def add_commands(commands: "Commands") -> None:
    """Add the command."""
    about = "let a candidate answer a share of the callers of running services, or show who answers"
    description = f"{about[0].upper()}{about[1:]}."
    canary = commands.add_parser("canary", help=about, description=description, allow_abbrev=False)
    canary.add_argument("services", nargs="+", metavar="URL", help="a service; name every replica")
    canary.add_argument("--model", default="", help="the model, where a service has several")
    canary.add_argument("--version", help="the candidate, as the BentoML store numbers it")
    action = canary.add_mutually_exclusive_group()
    action.add_argument("--share", type=read_share, help="how many it answers, such as 10%%; 100%% is everyone")
    action.add_argument("--steps", type=read_steps, help="shares one after the other, such as 1,10,50,100")
    action.add_argument("--stop", action="store_true", help="give everyone back to the champion")
    canary.add_argument("--every", type=read_duration_s, default=600.0, help="how long a step takes (default: 10m)")
    canary.add_argument("--force", action="store_true", help="though its schema rejects what callers may send today")
    canary.epilog = (
        "AUTH_TOKEN is sent to services, if it is set. If one of them steps back during --steps, all do, and the exit "
        "code is 3."
    )
    canary.set_defaults(run=lambda options: run(canary, options))


def run(parser: argparse.ArgumentParser, options: argparse.Namespace) -> int:
    """Say a share, walk up several, stop, or show what there is."""
    from ekiben.monitoring.canary.services import Service
    from ekiben.monitoring.canary.walk import SteppedBack, Walk

    shares = options.steps or ([options.share] if options.share else [])
    if bool(shares) != bool(options.version):
        parser.error("--version goes with --share or --steps")
    services = [Service(url, options.model) for url in dict.fromkeys(options.services)]
    if shares:
        try:
            Walk(services, options.version, _say, options.force).go(shares, options.every)
        except SteppedBack as stepped_back:
            _say(str(stepped_back))
            return STEPPED_BACK
        return 0
    _show(services, options.stop)
    return 0


def _show(services: "list[Service]", stop: bool) -> None:
    """Show each service's canary, perhaps once it is stopped; raise ServiceFailed, naming those that don't answer."""
    from ekiben.monitoring.canary.services import ServiceFailed
    from ekiben.monitoring.canary.walk import describe_state

    failures = []
    for service in services:
        try:
            if stop:
                service.stop()
            _say(f"{service.url}: {describe_state(service.read())}")
        except ServiceFailed as error:  # the others are to be told all the same
            failures.append(str(error))
    if failures:
        raise ServiceFailed("; ".join(failures))


def read_share(text: str) -> float:
    """Return the share that per cent are, such as 10 or 10%."""
    try:
        share = float(text.removesuffix("%")) / 100
    except ValueError:
        share = 0.0
    if not 0 < share <= 1:
        raise argparse.ArgumentTypeError(f"expected per cent, above 0 and up to 100, got {text!r}")
    return share


def read_steps(text: str) -> list[float]:
    """Return shares that rise."""
    shares = [read_share(one.strip()) for one in text.split(",")]
    if shares != sorted(set(shares)):
        raise argparse.ArgumentTypeError(f"expected shares that rise, such as 1,10,50,100, got {text!r}")
    return shares


def read_duration_s(text: str) -> float:
    """Return the seconds of a duration such as 30s, 10m or 2h."""
    try:
        seconds = float(text[:-1]) * UNITS_S[text[-1:]]
    except (KeyError, ValueError):
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise argparse.ArgumentTypeError(f"expected a duration such as 30s, 10m or 2h, got {text!r}")
    return seconds


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
