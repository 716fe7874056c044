"""Cuts the table into training, validation and test rows, by time."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from contract.errors import InvalidTable
from training.problem import Split


@dataclass(frozen=True)
class Parts:
    """The three parts of a table."""

    train: pd.DataFrame
    validation: pd.DataFrame
    test: pd.DataFrame


def split_by_time(table: pd.DataFrame, split: Split) -> Parts:
    """Cut the table at the split's two dates; raise InvalidTable if a part has no rows."""
    if split.time not in table:
        raise InvalidTable(f"the table has no column `{split.time}` to split by")
    times = table[split.time].to_numpy()
    validate_from, test_from = np.datetime64(split.validate_from), np.datetime64(split.test_from)
    parts = {
        "before the validation date": table[times < validate_from],
        "between the validation and the test date": table[(times >= validate_from) & (times < test_from)],
        "from the test date on": table[times >= test_from],
    }
    for place, part in parts.items():
        if part.empty:
            raise InvalidTable(f"`{split.time}`: no rows {place}: move the dates of the split")
    return Parts(*parts.values())
