"""Builds the image of the packed model: `python -m ekiben.deploy.image --help`, which is `ekiben image`."""

import argparse
import sys

from ekiben.contract.errors import UserError
from ekiben.deploy.image.command import add_options, run


def main() -> int:
    """Read the command line and build."""
    parser = argparse.ArgumentParser(prog="python -m ekiben.deploy.image", description="Build the model's image.")
    add_options(parser)
    try:
        run(parser.parse_args())
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
