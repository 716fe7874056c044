"""What the values of the training commands' options may be, and the options that several have."""

import argparse
import re
from datetime import date
from pathlib import Path
from typing import Any

SIZE, UNITS = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT])(I?)B", re.ASCII), "KMGT"
TABLES = "a file (CSV, Parquet, JSON, Excel), a folder (Parquet, Delta, Iceberg), or an SQLAlchemy URL"
FOUND_OUT = "default: found out"
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


def add_problem(command: argparse.ArgumentParser) -> None:
    """Add the problem file."""
    fallback = "default: problem.toml here, or in EKIBEN_HOME, else NYC flights"
    command.add_argument("-p", "--problem", type=Path, help=f"the problem file ({fallback})")


def add_version(command: argparse.ArgumentParser) -> None:
    """Add a version of the registry."""
    command.add_argument("version", help="as `compare` shows it")


def add_fit(command: argparse.ArgumentParser) -> None:
    """Add what a fit takes from the command line."""
    command.add_argument("--seed", type=seed, default=0, help="same seed, same weights (default: %(default)s)")
    command.add_argument("--epochs", type=positive, help="passes over the rows, at most (default: by their number)")
    command.add_argument("--rows", type=positive, help="use about this many rows, for a quick try (default: all)")
    command.add_argument(
        "--memory", type=memory, metavar="SIZE",
        help="what training may take, e.g. 2GB: a larger table is trained on from the disk (default: half of all)",
    )  # fmt: skip


def add_labels(command: argparse.ArgumentParser, of: str = "") -> None:
    """Add the table of labels of logged rows; `of` says with which other option it goes."""
    command.add_argument("--labels", metavar="TABLE", help=f"{of}{LABEL_TABLE}")
    command.add_argument("--query", help="the SQL query whose rows are the labels, with a URL")


def add_labelled_log(command: argparse.ArgumentParser) -> None:
    """Add a service's log, its labels, and the periods that they are shown by."""
    command.add_argument("folder", metavar="LOG_FOLDER", help="where the service logs to, or an object store's URL")
    add_labels(command)
    command.add_argument("--by", choices=("week", "day"), default="week", help="UTC (default: %(default)s)")


def add_table(command: argparse.ArgumentParser) -> None:
    """Add a table that is named on the command line."""
    command.add_argument("table", help=TABLES)
    command.add_argument("--query", help="the SQL query whose rows are the table, with a URL")


def add_new_table(command: argparse.ArgumentParser) -> None:
    """Add a table of which nothing is known yet: how it is written and ordered is found out."""
    add_table(command)
    add_spelling(command, FOUND_OUT)
    command.add_argument("--time", help=f"the column by whose order to split ({FOUND_OUT})")


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
