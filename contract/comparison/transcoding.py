"""Turns rows that were encoded for one model into rows as another would have encoded them.

Numbers are the same in every schema, and so are the cycles of a moment; the code of a category's value is looked up in
the other vocabulary. So raw rows are not needed. Only where the champion has never seen a value, and the challenger
knows more values, can't the code be known: such rows are left out, and so are those that the challenger would reject.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ekiben.contract.category_codes import MISSING, UNSEEN, number_codes
from ekiben.contract.encoding import Encoded, Encoder
from ekiben.contract.errors import InvalidModel
from ekiben.contract.feature import Category, Feature, Timestamp
from ekiben.contract.schema import Schema

Key = tuple[str, str, str]
UNKNOWN = -1  # the code of a value that can't be known


class Transcoded(NamedTuple):
    """Rows as the challenger takes them: those that are left."""

    encoded: Encoded
    kept: NDArray[np.bool_] | None  # which of the rows these are, (rows,); None: all
    rejected: int  # rows that the challenger's schema would reject
    unknown: int  # rows whose code the challenger can't be given


class Transcoder:
    """Transcodes the rows of one champion for one challenger."""

    def __init__(self, champion: Schema, challenger: Schema) -> None:
        """Raise InvalidModel if the challenger answers another question, or needs what the champion is not sent."""
        _check_target(champion, challenger)
        known = {feature.name: feature for feature in champion.features}
        for feature in challenger.features:
            _check_feature(feature, known.get(feature.name))
        place_of = {key: index for index, key in enumerate(_list_keys(champion))}
        keys = _list_keys(challenger)
        for key in keys:
            if key not in place_of:
                name, cycle, _ = key
                raise InvalidModel(f"it needs the {cycle} of `{name}`, which the champion does not encode")
        self._numbers = [place_of[key] for key in keys]
        self._identical = list(map(_strip, champion.features)) == list(map(_strip, challenger.features))
        columns = {feature.name: index for index, feature in enumerate(champion.categories)}
        self._codes = [columns[feature.name] for feature in challenger.categories]
        pairs = [(champion.categories[columns[one.name]], one) for one in challenger.categories]
        self._tables = [_translate(ours, theirs) for ours, theirs in pairs]
        self._null = np.array([_find_null(ours, theirs) for ours, theirs in pairs], np.int32)
        self._encoder = Encoder(challenger)
        nullable = {feature.name for feature in challenger.features if feature.nullable}
        self._filled = np.array([name not in nullable for name, *_ in keys], bool)

    def transcode(self, encoded: Encoded) -> Transcoded:
        """Return the rows as the challenger takes them."""
        if self._identical:
            return Transcoded(encoded, None, 0, 0)
        numbers = np.ascontiguousarray(encoded.numbers[:, self._numbers])
        given = encoded.codes[:, self._codes]
        codes = np.empty_like(given)
        for column, table in enumerate(self._tables):
            codes[:, column] = table[given[:, column]]
        made = Encoded(numbers, codes)
        rejected = self._encoder.find_out_of_range(made).any(axis=1)
        rejected |= (np.isnan(numbers) & self._filled).any(axis=1) | (given == self._null).any(axis=1)
        unknown = (codes == UNKNOWN).any(axis=1) & ~rejected
        kept = ~(rejected | unknown)
        if kept.all():
            return Transcoded(made, None, 0, 0)
        left = Encoded(numbers[kept], codes[kept])
        return Transcoded(left, kept, int(rejected.sum()), int(unknown.sum()))


def _check_target(champion: Schema, challenger: Schema) -> None:
    ours, theirs = champion.target, challenger.target
    if champion.name != challenger.name or (ours.name, ours.task, ours.classes) != (
        theirs.name, theirs.task, theirs.classes
    ):  # fmt: skip
        raise InvalidModel(
            f"it answers `{theirs.name}` of {challenger.name} ({theirs.task}), the champion `{ours.name}` of "
            f"{champion.name} ({ours.task}): a challenger has the champion's problem and classes"
        )


def _check_feature(feature: Feature, other: Feature | None) -> None:
    if other is None:
        raise InvalidModel(f"it needs `{feature.name}`, which callers of the champion don't send: serve it apart")
    if other.kind != feature.kind:
        raise InvalidModel(f"it takes `{feature.name}` as a {feature.kind}, the champion as a {other.kind}")
    if isinstance(feature, Timestamp) and isinstance(other, Timestamp) and feature.zoned != other.zoned:
        zone = "with" if feature.zoned else "without"
        raise InvalidModel(f"it takes `{feature.name}` {zone} a UTC offset, the champion the other way")


def _strip(feature: Feature) -> Feature:
    """Return a feature without what says nothing of how it is encoded."""
    return feature.model_copy(update={"example": None, "description": "", "unit": "", "log": "", "min_rows": 1})


def _list_keys(schema: Schema) -> list[Key]:
    """Return what each column of numbers holds: the feature, and of a moment its cycle and axis."""
    cycles = ((one.name, cycle) for one in schema.timestamps for cycle in one.cycles)
    plain = [(feature.name, "", "") for feature in schema.plain]
    return [*plain, *((name, cycle, axis) for name, cycle in cycles for axis in ("sin", "cos"))]


def _find_null(ours: Category, theirs: Category) -> int:
    """Return the champion's code of a null that the challenger would reject."""
    rejected = not theirs.nullable and MISSING in ours.vocabulary
    return ours.vocabulary.index(MISSING) + UNSEEN + 1 if rejected else UNKNOWN


def _translate(ours: Category, theirs: Category) -> NDArray[np.int32]:
    """Return the challenger's code for each of the champion's."""
    code_of = number_codes(theirs)
    table = [code_of[None] if value == MISSING else code_of.get(value, UNSEEN) for value in ours.vocabulary]
    unseen = UNSEEN if set(theirs.vocabulary) <= set(ours.vocabulary) else UNKNOWN
    return np.array([unseen, *table], np.int32)
