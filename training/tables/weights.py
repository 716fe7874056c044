"""The weight of each row: for how many it stands. None of them may be in doubt."""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from ekiben.contract.errors import InvalidTable
from ekiben.training.tables.table import Table


def check_weights(columns: Iterable[pd.Series], table: Table) -> None:
    """Raise InvalidTable if a row has no weight, one below zero, or an infinite one, in any piece of the column.

    Of a weight that can't be read the table's parse failures tell.
    """
    unread = {failure.column for failure in table.parse_failures}
    for column in columns:
        if column.name not in unread:
            _check(column)


def _check(column: pd.Series) -> None:
    weights = column.to_numpy(np.float64, na_value=np.nan)
    for wrong, told in (
        (np.isnan(weights), "has no `{}`: write 1 for a row that counts as itself"),
        (weights < 0, "has the `{}` {:g}: a row can't stand for fewer than none; leave it out, or write 0"),
        (np.isinf(weights), "has the `{}` {:g}: a row can't stand for infinitely many"),
    ):
        if wrong.any():
            index = int(wrong.argmax())
            raise InvalidTable(f"row {column.index[index] + 1:,} " + told.format(column.name, weights[index]))
