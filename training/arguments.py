"""What the values of the training commands' options may be, and the options that several have."""

import argparse
import re
from datetime import date
from typing import Any

SIZE, UNITS = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT])(I?)B", re.ASCII), "KMGT"
LABEL_TABLE = "a table with the columns `id` and `label` (default: what POST /feedback left in the folder)"


def positive(text: str) -> int:
    """Read a whole number above zero."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"expected a number above 0, got {text}")
    return number


def memory(text: str) -> int:
    """Read a size with its unit, in bytes."""
    found = SIZE.fullmatch(text.strip().upper())
    if found is None:
        raise argparse.ArgumentTypeError(f"expected a size with its unit, such as 2GB or 1500MiB, got {text!r}")
    base = 1024 if found[3] else 1000
    return int(float(found[1]) * base ** (1 + UNITS.index(found[2])))


def add_memory(command: argparse.ArgumentParser) -> None:
    """Add how much memory training may take."""
    command.add_argument(
        "--memory", type=memory, metavar="SIZE",
        help="what training may take, e.g. 2GB: a larger table is trained on from the disk (default: half of all)",
    )  # fmt: skip


def top(text: str) -> int:
    """Read how many attributions to show; the table's name stands there if it comes after the option."""
    if not text.isascii() or not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a number above 0, got {text!r}: a table stands before the option")
    return int(text)


def day(text: str) -> date:
    """Read a day."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected a day such as 2013-10-01, got {text!r}") from None


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


def read_spelling(options: argparse.Namespace) -> dict[str, Any]:
    """Return what the options say of a table."""
    names = ("delimiter", "encoding", "decimal", "null", "sheet", "version", "as_of")
    given = {name: getattr(options, name) for name in names}
    given["quote"] = "" if options.quote == "none" else options.quote
    return {name: value for name, value in given.items() if value is not None}


def add_spelling(command: argparse.ArgumentParser, fallback: str) -> None:
    """Add how a CSV file is written, and which sheet or version of a table is read."""
    command.add_argument(
        "--delimiter", type=delimiter, metavar="CHARACTER", help=f"what separates a CSV file's values ({fallback})"
    )
    command.add_argument("--encoding", help=f"of a CSV file, such as cp1252 ({fallback})")
    command.add_argument(
        "--decimal", choices=(".", ","), metavar="MARK", help=f". or , as the mark in a CSV file's numbers ({fallback})"
    )
    command.add_argument(
        "--null", action="append", metavar="STRING", help=f"a string that stands for missing; repeatable ({fallback})"
    )
    command.add_argument(
        "--quote", choices=('"', "'", "none"), help=f"around values of a CSV file that have delimiters ({fallback})"
    )
    command.add_argument("--sheet", help="of a spreadsheet (default: the first)")
    command.add_argument(
        "--table-version",
        dest="version",
        metavar="N",
        help="a Delta table, or an Iceberg snapshot (default: newest)",
    )
    command.add_argument("--as-of", metavar="TIME", help="a Delta or Iceberg table as it was, e.g. 2026-01-31T12:00")
