"""Which of a table's columns are a DataFrame's index."""

import re
from collections.abc import Sequence

_INDEX = re.compile(r"__index_level_\d+__")  # in Parquet; in CSV the index has no name


def find_index(names: Sequence[str]) -> list[int]:
    """Return the positions of the columns that are a DataFrame's index: MLflow doesn't look at them either."""
    unnamed = [0] if len(names) > 1 and names[0] == "" else []
    return unnamed + [index for index, name in enumerate(names) if _INDEX.fullmatch(name)]
