"""Counts encoded rows and their answers in a reference's bins; counts of any rows add up."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate, pairwise

import numpy as np
from numpy.typing import NDArray

from ekiben.contract.answers import Answers
from ekiben.contract.category_codes import UNSEEN
from ekiben.contract.encoding import Encoded
from ekiben.contract.feature import Category, Cycle
from ekiben.contract.reference.bins import BooleanBins, CategoryBins, CycleBins, NumberBins, list_known
from ekiben.contract.reference.placing import Floats, NumberPlacer, Places, place_cycle
from ekiben.contract.reference.reference import Distribution, Reference
from ekiben.contract.schema import Schema, Target

Counts = NDArray[np.int64]
ByName = dict[str, tuple[int, ...]]
Key = tuple[str, str]  # a distribution's column, and of a moment its cycle
LABEL, CONFIDENCE = "label", "probability"  # what is counted of answers with many classes


class RowCounter:
    """Counts rows of one schema; its counts are one array, in which each distribution has its stretch."""

    def __init__(self, schema: Schema, reference: Reference) -> None:
        named = {_key(distribution): distribution for distribution in reference.distinct}
        self.features = tuple(named[key] for key in _list_keys(schema) if key in named)
        self.answers = reference.answers
        self.names = frozenset(schema.names)
        self.values = len(schema.number_names) + len(schema.categories) + len(schema.target.outputs)  # of a row
        self._target = schema.target
        sizes = [len(distribution.counts) for distribution in (*self.features, *self.answers)]
        starts = list(accumulate(sizes, initial=0))
        self.width = starts[-1]
        self._slices = [slice(start, stop) for start, stop in pairwise(starts)]
        at = dict(zip(map(_key, self.features), starts, strict=False))
        self._numbers = _NumberColumns(schema, named, at)
        self._cycles = _find_cycles(schema, at)
        self._categories = _CategoryColumns(schema, named, at)
        self._answers = _AnswerColumns(reference.answers, starts[len(self.features) :])

    def count(self, encoded: Encoded, answers: Answers) -> Counts:
        """Return how many rows are in each bin, (width,)."""
        places = [part.ravel() for part in self.place(encoded, answers)]
        return np.bincount(np.concatenate(places), minlength=self.width).astype(np.int64, copy=False)

    def place(self, encoded: Encoded, answers: Answers) -> Iterator[Places]:
        """Yield where in the counts each value of each row is counted, (columns, rows) a time."""
        numbers = np.ascontiguousarray(encoded.numbers.T)
        yield self._numbers.place(numbers)
        for cycle, column, start in self._cycles:
            yield place_cycle(cycle, numbers[column : column + 2])[None] + start
        yield self._categories.place(encoded.codes)
        if self.answers:
            yield from self._answers.place(self._target, answers)

    def split(self, counts: Counts) -> tuple[ByName, ByName]:
        """Return the counts of each feature, and of each kind of answer, by name."""
        parts = [tuple(counts[part].tolist()) for part in self._slices]
        names = [distribution.name for distribution in (*self.features, *self.answers)]
        middle = len(self.features)
        return dict(zip(names[:middle], parts, strict=False)), dict(zip(names[middle:], parts[middle:], strict=True))


class _NumberColumns:
    """Numbers and booleans."""

    def __init__(self, schema: Schema, named: Mapping[Key, Distribution], at: Mapping[Key, int]) -> None:
        self._columns = [index for index, feature in enumerate(schema.plain) if (feature.name, "") in at]
        keys = [(schema.plain[index].name, "") for index in self._columns]
        self._placer = NumberPlacer([_edges(named[key]) for key in keys])
        self._starts = np.array([at[key] for key in keys], np.intp)[:, None]

    def place(self, numbers: Floats) -> Places:
        """Return the places of the numbers, which are (all columns, rows)."""
        places: Places = self._placer.place(numbers[self._columns]) + self._starts
        return places


class _CategoryColumns:
    """Categories: a table from codes to places for each."""

    def __init__(self, schema: Schema, named: Mapping[Key, Distribution], at: Mapping[Key, int]) -> None:
        counted = [(index, feature) for index, feature in enumerate(schema.categories) if (feature.name, "") in at]
        keys = [(feature.name, "") for _, feature in counted]
        tables = [_place_codes(feature, named[key]) + at[key] for (_, feature), key in zip(counted, keys, strict=True)]
        self._columns = [index for index, _ in counted]
        self._starts = np.array(list(accumulate(map(len, tables), initial=0))[:-1], np.intp)
        self._table = np.concatenate([np.empty(0, np.intp), *tables])

    def place(self, codes: NDArray[np.int32]) -> Places:
        """Return the places of the codes, which are (rows, all columns)."""
        places: Places = self._table[codes[:, self._columns] + self._starts]
        return places.T


class _AnswerColumns:
    """The answers: of many classes the likeliest and how likely it is, of others the first output."""

    def __init__(self, distributions: Sequence[Distribution], starts: Sequence[int]) -> None:
        at = {distribution.name: start for distribution, start in zip(distributions, starts, strict=False)}
        self._label = at.get(LABEL, 0)
        numbers = [distribution for distribution in distributions if isinstance(distribution.bins, NumberBins)]
        self._placer = NumberPlacer([_edges(distribution) for distribution in numbers])
        self._starts = np.array([at[distribution.name] for distribution in numbers], np.intp)[:, None]

    def place(self, target: Target, answers: Answers) -> Iterator[Places]:
        """Yield the places of answers, (rows, outputs)."""
        yield self._placer.place(main_answer(target, answers)[None]) + self._starts
        if target.task == "multiclass":
            yield answers.argmax(axis=1)[None] + self._label


def main_answer(target: Target, answers: Answers) -> Floats:
    """Return one number of each row's answer: of many classes the largest probability."""
    best: Floats = answers.max(axis=1) if target.task == "multiclass" else np.ascontiguousarray(answers[:, 0])
    return best


def _key(distribution: Distribution) -> Key:
    return distribution.column, distribution.bins.cycle if isinstance(distribution.bins, CycleBins) else ""


def _list_keys(schema: Schema) -> Iterator[Key]:
    moments: dict[str, list[Key]] = {one.name: [(one.name, cycle) for cycle in one.cycles] for one in schema.timestamps}
    for name in schema.names:
        yield from moments.get(name, [(name, "")])


def _edges(distribution: Distribution) -> tuple[float, ...]:
    bins = distribution.bins
    assert isinstance(bins, NumberBins | BooleanBins)
    return (0.5,) if isinstance(bins, BooleanBins) else bins.edges


def _find_cycles(schema: Schema, at: Mapping[Key, int]) -> list[tuple[Cycle, int, int]]:
    """Return each cycle that is counted, the first of its two columns, and where its counts begin."""
    found, column = [], len(schema.plain)
    for moment in schema.timestamps:
        for cycle in moment.cycles:
            if (moment.name, cycle) in at:
                found.append((cycle, column, at[moment.name, cycle]))
            column += 2
    return found


def _place_codes(feature: Category, distribution: Distribution) -> Places:
    """Return the bin of each code."""
    bins = distribution.bins
    assert isinstance(bins, CategoryBins)
    place_of = {value: place for place, value in enumerate(bins.values)}
    rest, unseen, missing = range(len(bins.values), len(bins.values) + 3)
    known, _ = list_known(feature)
    table = np.full(len(feature.vocabulary) + 1, missing, np.intp)
    table[UNSEEN] = unseen
    for code, value in enumerate(feature.vocabulary, start=UNSEEN + 1):
        if value in known:
            table[code] = place_of.get(value, rest)
    return table
