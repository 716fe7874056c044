"""The names of a table's columns, as pandas leaves them in what it writes."""

from collections import Counter
from collections.abc import Sequence

from ekiben.contract.errors import FieldError, InvalidInput
from ekiben.contract.validation import shorten


def check_names(names: Sequence[str]) -> None:
    """Raise InvalidInput if a name is there twice or more."""
    if len(set(names)) < len(names):
        twice, _ = Counter(names).most_common(1)[0]
        raise InvalidInput(FieldError(None, shorten(twice), "is there twice: send each column once"))
