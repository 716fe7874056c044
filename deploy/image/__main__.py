"""Builds the image of the packed model: `python -m ekiben.deploy.image --help`, which is `ekiben image`."""

import argparse
import sys
from functools import partial

from ekiben.deploy.image.command import STOPPED, add_options, run
from ekiben.training import process


def main() -> int:
    """Read the command line and build."""
    parser = argparse.ArgumentParser(prog="python -m ekiben.deploy.image", description="Build the model's image.")
    add_options(parser)
    return process.report_errors(partial(run, parser.parse_args()), STOPPED)


if __name__ == "__main__":
    sys.exit(main())
