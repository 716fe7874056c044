"""`ekiben recalibrate`: its options, and what it runs; what is heavy is imported only as it runs."""

import argparse
import sys
from typing import TYPE_CHECKING

from ekiben.contract.report_output import add_report, check_output, write_report
from ekiben.training.arguments import add_labelled_log, add_problem

if TYPE_CHECKING:
    from ekiben.training.adaptation.adapt import Adaptation

    Commands = argparse._SubParsersAction[argparse.ArgumentParser]

ABOUT = "say by how much intervals have to move to hold 80% of the labels, and make a version with them"


def add_commands(commands: "Commands") -> None:
    """Add the command."""
    description = f"{ABOUT[0].upper()}{ABOUT[1:]}."
    command = commands.add_parser("recalibrate", help=ABOUT, description=description, allow_abbrev=False)
    add_labelled_log(command)
    add_report(command)
    command.add_argument("--register", action="store_true", help="register the network with the margin as a version")
    command.add_argument("--promote", action="store_true", help="and make that version the champion")
    add_problem(command)
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Print or write the report, and make the version that is asked for."""
    from ekiben.model.store import find_model, open_stored
    from ekiben.training.adaptation.adapt import learn_from_log, object_to
    from ekiben.training.adaptation.report import render
    from ekiben.training.adaptation.versions import find_family
    from ekiben.training.problem import load_problem
    from ekiben.training.registry import tracking

    check_output(options.output)
    problem = load_problem(options.problem)
    schema = open_stored(find_model(problem.name)).schema
    making = options.register or options.promote
    with tracking.existing_store(changing=making):
        family = find_family(problem.name)
        found = learn_from_log(schema, problem, family, options.folder, options.labels, options.query, options.by)
    write_report(f"{render(found, options.format)}\n", options.output)
    if making:
        object_to(found)
        make(found, options.promote)


def make(found: "Adaptation", promoted: bool) -> None:
    """Register the version, and make it the champion if asked to."""
    print("loading TensorFlow …", file=sys.stderr, flush=True)
    from ekiben.training.adaptation.registering import Adapted, register_adapted
    from ekiben.training.adaptation.report import render_page, say_moved
    from ekiben.training.registry import tracking
    from ekiben.training.registry.champion import promote
    from ekiben.training.registry.store import as_user_error

    said, page = say_moved(found), render_page(found)
    with as_user_error():
        version = register_adapted(Adapted(found.model, found.trained, found.replayed.margin, page, said))
    print(f"registered as version {version} of {found.model}", file=sys.stderr)
    if not promoted:
        print(f"`ekiben promote {version}` makes it the champion", file=sys.stderr)
        return
    with tracking.existing_store():
        promote(found.model, version)
