"""The moment of each row, of a table that has its year, month and day in columns of their own."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ekiben.contract.errors import InvalidTable
from ekiben.contract.spellings.moments import assemble
from ekiben.contract.spellings.months import MONTHS
from ekiben.training.split_config import PARTS, Split

MAX_YEAR = 9999  # as in ISO 8601
_FIELDS = dict(zip(PARTS, "YmdHM", strict=True))  # as `assemble` calls them


def add_moments(frame: pd.DataFrame, split: Split) -> pd.DataFrame:
    """Return the table with the column that the split is by, where that is made of several.

    It is missing where one of them is. Raises InvalidTable naming a row whose numbers are not a date.
    """
    if split.moment is None or isinstance(split.time, str):
        return frame
    numbers = {part: read_part(frame[name]) for part, name in zip(PARTS, split.columns, strict=False)}
    known = ~np.any([np.isnan(values) for values in numbers.values()], axis=0)
    whole = {
        part: np.where(known, np.clip(values, -1, MAX_YEAR), 1).astype(np.int64) for part, values in numbers.items()
    }
    exact = np.all([whole[part] == np.where(known, values, 1) for part, values in numbers.items()], axis=0)
    seconds, exists = assemble({_FIELDS[part]: values for part, values in whole.items()}, None)
    if not (exists & exact).all():
        _reject(frame, split, int(np.argmin(exists & exact)))
    moments = np.where(known, seconds, np.iinfo(np.int64).min).astype("datetime64[s]")
    return frame.assign(**{split.moment: moments})


def read_part(column: "pd.Series") -> NDArray[np.float64]:
    """Return the numbers of a column, NaN where missing, and those of months that are written as words.

    What is neither a number nor a month is -1, which no date has.
    """
    if not isinstance(column.dtype, pd.CategoricalDtype):
        return column.to_numpy(np.float64, na_value=np.nan)
    strings = column.cat.categories.astype(str).str.strip().str.lower().str.removesuffix(".")
    named = strings.map(MONTHS).to_numpy(np.float64)
    numbers = pd.to_numeric(pd.Series(strings), errors="coerce").to_numpy(np.float64)
    of_category = np.append(np.nan_to_num(np.where(np.isnan(named), numbers, named), nan=-1), np.nan)
    return np.asarray(of_category[column.cat.codes])


def _reject(frame: pd.DataFrame, split: Split, index: int) -> None:
    found = ", ".join(f"`{name}` {frame[name].iloc[index]:}" for name in split.columns)
    parts = ", ".join(PARTS[: len(split.columns)])
    raise InvalidTable(f"row {frame.index[index] + 1:,} has {found}: expected the numbers of a date, {parts}")
