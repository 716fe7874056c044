"""`ekiben lineage` and `ekiben sign`: their options, and what they run; what is heavy is imported only as they run."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ekiben.contract.report_output import add_format
from ekiben.training.arguments import add_problem, add_version

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]

ABOUT = "trace an answer, a version, a run or an image to its rows, and verify each step"
SIGNING = "sign a version's package with a key of yours"
BROKEN = 3  # the exit code


def add_commands(commands: "Commands") -> None:
    """Add both commands."""
    add_lineage(commands)
    add_sign(commands)


def add_lineage(commands: "Commands") -> None:
    """Add the command that verifies."""
    command = commands.add_parser("lineage", help=ABOUT, description=f"{ABOUT[0].upper()}{ABOUT[1:]}.")
    command.add_argument("what", metavar="WHAT", help="an answer's X-Prediction-Id, a version, a run's id, or an image")
    command.add_argument(
        "--as", dest="kind", choices=("answer", "version", "run", "image"), help="(default: by what it looks like)"
    )
    command.add_argument("--log", metavar="FOLDER", help="where answers are logged (default: LOG_FOLDER, or data/log)")
    command.add_argument(
        "--key", type=Path, metavar="PUBLIC", help="a PEM file: verify the package's signature with it"
    )
    add_format(command, "text", "json")
    add_problem(command)
    command.epilog = "The exit code is 3 if a step is broken."
    command.set_defaults(run=run_lineage)


def run_lineage(options: argparse.Namespace) -> int:
    """Print the chain; the exit code says whether it holds."""
    from ekiben.training.problem import load_problem

    problem = load_problem(options.problem)
    from ekiben.pipeline.lineage.report import FORMATS
    from ekiben.pipeline.lineage.trace import Asked, trace
    from ekiben.training.registry import tracking

    with tracking.existing_store(changing=False):
        link = trace(Asked(options.what, problem.name, options.kind, options.log, options.key))
    sys.stdout.write(FORMATS[options.format](link) + "\n")
    return BROKEN if any(one.faults for one in link.walk()) else 0


def add_sign(commands: "Commands") -> None:
    """Add the command that signs."""
    command = commands.add_parser("sign", help=SIGNING, description=f"{SIGNING[0].upper()}{SIGNING[1:]}.")
    add_version(command)
    command.add_argument("--key", type=Path, required=True, metavar="FILE", help="the PEM file of a private key, P-256")
    add_problem(command)
    command.epilog = "`ekiben lineage VERSION --key PUBLIC` verifies the signature."
    command.set_defaults(run=run_sign)


def run_sign(options: argparse.Namespace) -> None:
    """Sign a version's package and say where the signature is."""
    from ekiben.training.problem import load_problem

    problem = load_problem(options.problem)
    from ekiben.pipeline.lineage.signing import SIGNATURE_FILE, SIGNATURES, sign_version
    from ekiben.pipeline.lineage.trace import get_version
    from ekiben.training.registry import tracking

    with tracking.existing_store():
        registered = get_version(problem.name, options.version)
        digest = sign_version(registered, options.key)
    print(f"signed version {registered.version}: {SIGNATURES}/{SIGNATURE_FILE} of its run, SHA-256 {digest}")
