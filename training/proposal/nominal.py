"""Whole numbers that are names, such as those of users and zones: more of them is not more of anything."""

from dataclasses import replace

import numpy as np

from ekiben.training.proposal.choice import Choice
from ekiben.training.proposal.column import Column
from ekiben.training.proposal.identifiers import UNIQUE_SHARE
from ekiben.training.proposal.names import is_nominal, may_be_nominal
from ekiben.training.proposal.reading import Reading

FEW_CODES = 50
MIN_CODE_ROWS = 5  # on average, of each
LEAST_CODE = 100  # smaller ones may be counts
NAMES = 'names rather than quantities, by the column\'s name: kind = "number" if more is more'
ASK = 'a name or a quantity? a name is kind = "category"'


def read_as_names(choice: Choice, column: Column) -> Choice:
    """Return the choice for a column of whole numbers as a category if they are names, or with the question."""
    number = choice.reading
    if number is None or number.kind != "number" or not number.whole or number.spelling.format or choice.null:
        return choice
    if column.share_distinct >= UNIQUE_SHARE or number.low < 0 or len(column.distinct) < 2:
        return choice
    if is_nominal(column.name):
        return replace(choice, reading=None, remark=_join(choice.remark, NAMES))
    if may_be_nominal(column.name) or _are_codes(number, column):
        return replace(choice, remark=_join(choice.remark, ASK))
    return choice


def _are_codes(number: Reading, column: Column) -> bool:
    """Return whether few numbers of three digits or more stand at irregular distances, each in several rows."""
    if not column.is_counted or not 2 < len(column.distinct) <= min(FEW_CODES, column.values / MIN_CODE_ROWS):
        return False
    values = np.sort(number.read(column.distinct).to_numpy(zero_copy_only=False)).astype(np.int64)
    return bool(values[0] >= LEAST_CODE and np.gcd.reduce(values) == 1 and len(np.unique(np.diff(values))) > 1)


def _join(*remarks: str) -> str:
    return ", ".join(filter(None, remarks))
