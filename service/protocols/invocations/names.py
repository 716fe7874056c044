"""The names of a table's columns, as pandas leaves them in what it writes."""

import re
from collections import Counter
from collections.abc import Sequence

from contract.check import shorten
from contract.errors import InvalidInput, Problem

_INDEX = re.compile(r"__index_level_\d+__")  # in Parquet; in CSV the index has no name


def check_names(names: Sequence[str]) -> None:
    """Raise InvalidInput if a name is there twice or more."""
    if len(set(names)) < len(names):
        twice, _ = Counter(names).most_common(1)[0]
        raise InvalidInput(Problem(None, shorten(twice), "is there twice: send each column once"))


def find_index(names: Sequence[str]) -> list[int]:
    """Return the places of the columns that are a DataFrame's index: MLflow doesn't look at them either."""
    unnamed = [0] if len(names) > 1 and names[0] == "" else []
    return unnamed + [place for place, name in enumerate(names) if _INDEX.fullmatch(name)]
