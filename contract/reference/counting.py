"""Counts encoded rows and their answers in a reference's bins; counts of any rows add up."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate, pairwise

import numpy as np
from numpy.typing import NDArray

from ekiben.contract.answers import Answers
from ekiben.contract.category_codes import UNSEEN
from ekiben.contract.encoding import Encoded
from ekiben.contract.feature import Category, Cycle
from ekiben.contract.reference.alarms.sums import SumCounter
from ekiben.contract.reference.bins import BooleanBins, CategoryBins, CycleBins, NumberBins, list_known
from ekiben.contract.reference.placing import Floats, NumberPlacer, Places, place_cycle
from ekiben.contract.reference.reference import Distribution, Reference
from ekiben.contract.schema import Schema, Target

Counts = NDArray[np.int64]
ByName = dict[str, tuple[int, ...]]
Key = tuple[str, str]  # a distribution's column, and of a moment its cycle
LABEL, CONFIDENCE = "label", "probability"  # what is counted of answers with many classes


class RowCounter:
    """Counts rows of one schema; its counts are one array, in which each distribution has its stretch.

    The sums that alarms need, if the reference has any, stand behind them.
    """

    def __init__(self, schema: Schema, reference: Reference) -> None:
        named = {_key(distribution): distribution for distribution in reference.distinct}
        self.features = tuple(named[key] for key in _list_keys(schema) if key in named)
        self.answers = reference.answers
        self.names = frozenset(schema.names)
        self.values = len(schema.number_names) + len(schema.categories) + len(schema.target.outputs)  # of a row
        self._target = schema.target
        sizes = [len(distribution.counts) for distribution in (*self.features, *self.answers)]
        starts = list(accumulate(sizes, initial=0))
        self._bins = starts[-1]
        self._slices = [slice(start, stop) for start, stop in pairwise(starts)]
        at = dict(zip(map(_key, self.features), starts, strict=False))
        self._numbers = _NumberColumns(schema, named, at)
        self._cycles = _find_cycles(schema, at)
        self._categories = _CategoryColumns(schema, named, at)
        self._answers = _AnswerColumns(reference.answers, starts[len(self.features) :])
        self.placed = self._list_placed(at)
        columns = {feature.name: column for column, feature in enumerate(schema.plain)}
        self.sums = SumCounter(reference.alarms, columns, self.placed) if reference.alarms else None
        self.width = self._bins + (self.sums.width if self.sums else 0)

    def count(self, encoded: Encoded, answers: Answers) -> Counts:
        """Return how many rows are in each bin, and the sums, (width,)."""
        numbers = np.ascontiguousarray(encoded.numbers.T)
        places = np.concatenate(list(self._place(numbers, encoded, answers)))
        counts = np.bincount(places.ravel(), minlength=self._bins).astype(np.int64, copy=False)
        return np.concatenate([counts, self.sums.sum(numbers, places)]) if self.sums else counts

    def place(self, encoded: Encoded, answers: Answers) -> Iterator[Places]:
        """Yield where in the counts each value of each row is counted, (columns, rows) a time."""
        yield from self._place(np.ascontiguousarray(encoded.numbers.T), encoded, answers)

    def _place(self, numbers: Floats, encoded: Encoded, answers: Answers) -> Iterator[Places]:
        yield self._numbers.place(numbers)
        for _, cycle, column, start in self._cycles:
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

    def split_sums(self, counts: Counts) -> ByName:
        """Return the sums by what they are of."""
        return self.sums.split(counts[self._bins :]) if self.sums else {}

    def _list_placed(self, at: Mapping[Key, int]) -> dict[str, tuple[int, int, int]]:
        """Return of each feature which row of all places is its own, where they begin, and how many there are."""
        cycles = [(column, cycle) for column, cycle, *_ in self._cycles]
        keys = [*self._numbers.keys, *cycles, *self._categories.keys]
        features = {_key(feature): feature for feature in self.features}
        return {features[key].name: (row, at[key], len(features[key].counts)) for row, key in enumerate(keys)}


class _NumberColumns:
    """Numbers and booleans."""

    def __init__(self, schema: Schema, named: Mapping[Key, Distribution], at: Mapping[Key, int]) -> None:
        self._columns = [index for index, feature in enumerate(schema.plain) if (feature.name, "") in at]
        self.keys = [(schema.plain[index].name, "") for index in self._columns]
        self._placer = NumberPlacer([_edges(named[key]) for key in self.keys])
        self._starts = np.array([at[key] for key in self.keys], np.intp)[:, None]

    def place(self, numbers: Floats) -> Places:
        """Return the places of the numbers, which are (all columns, rows)."""
        places: Places = self._placer.place(numbers[self._columns]) + self._starts
        return places


class _CategoryColumns:
    """Categories: a table from codes to places for each."""

    def __init__(self, schema: Schema, named: Mapping[Key, Distribution], at: Mapping[Key, int]) -> None:
        counted = [(index, feature) for index, feature in enumerate(schema.categories) if (feature.name, "") in at]
        self.keys = keys = [(feature.name, "") for _, feature in counted]
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


def _find_cycles(schema: Schema, at: Mapping[Key, int]) -> list[tuple[str, Cycle, int, int]]:
    """Return the moment of each cycle that is counted, the first of its two columns, and where its counts begin."""
    found, column = [], len(schema.plain)
    for moment in schema.timestamps:
        for cycle in moment.cycles:
            if (moment.name, cycle) in at:
                found.append((moment.name, cycle, column, at[moment.name, cycle]))
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
