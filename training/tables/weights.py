"""The weight of each row: for how many it stands. None of them may be in doubt."""

import numpy as np
import pandas as pd

from ekiben.contract.errors import InvalidTable
from ekiben.training.tables.table import Table
from ekiben.training.wording import count


def check_weights(column: pd.Series, table: Table) -> None:
    """Raise InvalidTable if a row has no weight, one below zero, or an infinite one, or if all are zero.

    Of a weight that can't be read the table's parse failures tell.
    """
    weights = column.to_numpy(np.float64, na_value=np.nan)
    if any(failure.column == column.name for failure in table.parse_failures) or not len(weights):
        return
    for wrong, told in (
        (np.isnan(weights), "has no `{}`: write 1 for a row that counts as itself"),
        (weights < 0, "has the `{}` {:g}: a row can't stand for fewer than none; leave it out, or write 0"),
        (np.isinf(weights), "has the `{}` {:g}: a row can't stand for infinitely many"),
    ):
        if wrong.any():
            index = int(wrong.argmax())
            raise InvalidTable(f"row {column.index[index] + 1:,} " + told.format(column.name, weights[index]))
    if not weights.any():
        raise InvalidTable(f"`{column.name}` is 0 in all {count(len(weights), 'row')}: none counts; leave `weight` out")


def leave_out_weightless(frame: pd.DataFrame, weight: str) -> tuple[pd.DataFrame, list[str]]:
    """Return the rows that count, and how many do not."""
    none = (frame[weight] == 0).to_numpy()
    if not none.any():
        return frame, []
    return frame[~none], [f"left out: {count(int(none.sum()), 'row')} whose `{weight}` is 0"]
