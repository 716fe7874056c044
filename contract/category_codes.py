"""The codes of a category's values: 1 and up for its vocabulary, 0 for what was never seen in training."""

from collections.abc import Callable, Sequence
from itertools import repeat
from typing import Any

from ekiben.contract.feature import NULL_SPELLINGS, Category
from ekiben.contract.spellings.cells import read_category
from ekiben.contract.spellings.spelling import spelling_of

UNSEEN = 0  # the code of a value that is not in the vocabulary
MISSING = ""  # how a vocabulary spells null


def number_codes(feature: Category) -> dict[str | int | None, int]:
    """Return the code of each value a caller may send."""
    codes: dict[str | int | None, int] = {
        value: code for code, value in enumerate(feature.vocabulary, start=UNSEEN + 1)
    }
    if feature.nullable and MISSING in codes:
        # What a table may write where nothing is known, a caller may write too.
        codes = {**dict.fromkeys((*NULL_SPELLINGS, *feature.null), codes[MISSING]), **codes}
    if feature.integers:
        codes |= {int(value): codes[value] for value in feature.vocabulary if value != MISSING}
    return {**codes, None: codes.get(MISSING, UNSEEN)}


def find_codes(feature: Category, column: Sequence[Any], code_of: Callable[..., int]) -> list[int]:
    """Return the code of each value; the blanks around a string are no part of it."""
    codes = list(map(code_of, column, repeat(UNSEEN)))
    if UNSEEN not in codes:
        return codes
    spelling = spelling_of(feature)
    return [
        code_of(read_category(value.strip(), spelling), UNSEEN) if code == UNSEEN and type(value) is str else code
        for value, code in zip(column, codes, strict=True)
    ]
