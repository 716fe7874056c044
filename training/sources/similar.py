"""A table beside a known one, as one to score beside the one trained on: written alike unless it shows otherwise."""

import codecs
import json
from collections.abc import Mapping, Sequence
from typing import Any

from ekiben.contract.errors import InvalidTable
from ekiben.training.source_config import AnySource, FileSource, SqlSource
from ekiben.training.sources import find_source
from ekiben.training.sources.csv.dialect import find_csv_format

SPELLING = ("encoding", "delimiter")  # the rest is a fact of each column, which the model has
QUOTING = ("quote", "escape")


def find_similar_source(
    known: AnySource, table: str, query: str | None, spelling: Mapping[str, Any]
) -> FileSource | SqlSource:
    """Describe a table named on the command line, written as a known one is unless that does not fit it.

    It does not fit a file that is UTF-8 by its letters where the known one is in another encoding: strings in another
    hardly ever are. What `spelling` says goes before both.
    """
    said = _read_spelling(known, (*SPELLING, *QUOTING))
    try:
        found = find_source(table, query, {**said, **spelling})
    except InvalidTable:  # Parquet, a database, or a CSV file of another kind
        return find_source(table, query, spelling)
    is_said = "encoding" in said.keys() - spelling.keys()
    if is_said and isinstance(found, FileSource) and find_csv_format(found).doubts_encoding:
        return find_source(table, query, {**said, "encoding": "utf-8", **spelling})
    return found


def describe_difference(known: AnySource, found: FileSource | SqlSource, spelling: Mapping[str, Any]) -> str:
    """Return a sentence if a CSV file is read otherwise than the known one, and no option said so; else ""."""
    said = _read_spelling(known)
    read = _read_spelling(found)
    names = [name for name in SPELLING if name in said.keys() & read.keys() - spelling.keys()]
    differing = [name for name in names if _normalize(said[name]) != _normalize(read[name])]
    if not differing or not isinstance(found, FileSource):
        return ""
    differences = (f"{name} {json.dumps(read[name])} instead of {json.dumps(said[name])}" for name in differing)
    options = " or ".join(f"--{name}" for name in differing)
    return (
        f"{found.path} is read with {' and '.join(differences)}, which the problem file says: "
        f"give {options} if that is wrong"
    )


def _read_spelling(source: AnySource, names: Sequence[str] = SPELLING) -> dict[str, str]:
    """Return what is said of a CSV file."""
    said = {name: getattr(source, name, None) for name in names}
    return {name: value for name, value in said.items() if value is not None}


def _normalize(value: str) -> str:
    """Return one name for an encoding that has several; delimiters have one."""
    try:
        return codecs.lookup(value).name if len(value) > 1 else value
    except LookupError:
        return value
