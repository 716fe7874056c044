"""What the values of the load tests' options may be."""

import argparse
import math

PORT = 18300
LAST_PORT = 65_435  # gRPC gets the port a hundred above it


def positive(text: str) -> float:
    """Read a number above 0."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"expected a number above 0, got {text!r}")
    return number


def count(text: str) -> int:
    """Read a whole number above 0."""
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"expected a whole number above 0, got {text!r}")
    return int(text)


def served_models(text: str) -> int:
    """Read a number of models that a service serves as it comes."""
    from ekiben.service.settings import Settings  # pydantic, which the other commands' help does without

    number, most = count(text), Settings.model_fields["max_models"].default
    if number > most:
        raise argparse.ArgumentTypeError(f"expected at most {most}, as MAX_MODELS has it, got {text!r}")
    return number


def port(text: str) -> int:
    """Read a port that leaves one for gRPC above it."""
    if not text.isdecimal() or not 0 < int(text) <= LAST_PORT:
        raise argparse.ArgumentTypeError(f"expected a port from 1 to {LAST_PORT}, got {text!r}")
    return int(text)
