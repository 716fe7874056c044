"""What the values of the training commands' options may be."""

import argparse


def positive(text: str) -> int:
    """Read a whole number above zero."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"expected a number above 0, got {text}")
    return number


def delimiter(text: str) -> str:
    """Read one character; a tab may be spelled."""
    found = "\t" if text in (r"\t", "tab") else text
    if len(found) != 1:
        raise argparse.ArgumentTypeError(rf"expected one character, or \t for a tab, got {text!r}")
    return found


def seed(text: str) -> int:
    """Read a seed that NumPy takes."""
    number = int(text)
    if not 0 <= number < 2**32:
        raise argparse.ArgumentTypeError(f"expected a number from 0 to {2**32 - 1}, got {text}")
    return number
