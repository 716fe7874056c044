"""What the log does not hold as it was: features with `log = "drop"` or `log = "hash"` in the problem file.

The file may have said otherwise when a part was written, so the parts themselves are looked at: a hash has 16
hexadecimal digits, and is no value that training knows.
"""

import re
from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc

from ekiben.training.problem import ProblemConfig
from ekiben.training.truth.folder import LogFolder

HASH = re.compile("[0-9a-f]{16}")
Vocabularies = Mapping[str, frozenset[str]]  # of the categories, as the champion knows them


def find_lost(
    problem: ProblemConfig, folder: LogFolder, columns: Mapping[str, str], vocabularies: Vocabularies
) -> dict[str, str]:
    """Return the features that no part holds as they were: "dropped" or "hashed"; `columns` are theirs in the log."""
    types = folder.describe_columns([columns.get(name, name) for name in problem.features])
    lost = {}
    for name, facts in sorted(problem.features.items()):
        column = columns.get(name, name)
        if column not in types:
            lost[name] = "dropped"
            continue
        is_text = pa.types.is_string(types[column])
        is_hashed = _is_hashed(folder, column, vocabularies.get(name)) if facts.kind == "category" else is_text
        if is_hashed:
            lost[name] = "hashed"
    return lost


def _is_hashed(folder: LogFolder, column: str, vocabulary: frozenset[str] | None) -> bool:
    """Return whether all parts that have values of a category hold hashes; the first one often shows it."""
    found = False
    for path in folder.rows:
        part = folder.read(path, (), (column,))
        if part is None or not part.num_columns or part[column].null_count == len(part):
            continue
        if not are_hashes(part[column], vocabulary):
            return False
        found = True
    return found


def are_hashes(values: pa.ChunkedArray, vocabulary: frozenset[str] | None) -> bool:
    """Return whether all values of a category look like hashes, and training knows none of them."""
    known = pc.unique(values).drop_null().to_pylist()
    unheard = (HASH.fullmatch(str(value)) and value not in (vocabulary or ()) for value in known)
    return bool(known) and all(unheard)
