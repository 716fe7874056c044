"""The sampled rows as numbers, as what each column could be."""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa

from ekiben.contract.errors import InvalidTable
from ekiben.training.proposal.doubts.order import ALIKE, Values, compare_order
from ekiben.training.proposal.features import Feature
from ekiben.training.proposal.reading import Reading
from ekiben.training.proposal.sample import Sample
from ekiben.training.proposal.time_parts import Parts
from ekiben.training.split_config import Split
from ekiben.training.tables.conversion import to_plain
from ekiben.training.tables.moments import add_moments
from ekiben.training.tables.strings import to_strings


@dataclass(frozen=True)
class Sampled:
    """The sampled rows whose target is known."""

    columns: Mapping[str, Values]  # of each feature
    target: Values  # codes if it is a class
    rows: pa.Table  # as the source has them
    moments: dict[str | Parts, Values]  # in seconds, of each column and each group of columns that may say when

    def are_alike(self, one: str, other: str) -> bool:
        """Return whether two columns put the rows in one order."""
        return compare_order(self.columns[one], self.columns[other]) >= ALIKE

    def check_parts(self, found: Iterable[Parts]) -> list[Parts]:
        """Return the groups of columns that do hold dates, and remember these."""
        dated = []
        for parts in found:
            columns = {name: to_strings(to_plain(_join(self.rows[name]))).to_pandas() for name in parts}
            frame = pd.DataFrame(columns, dtype="category")
            with suppress(InvalidTable):
                seconds = add_moments(frame, Split(time=parts))["-".join(parts)]
                self.moments[parts] = _to_seconds(seconds)
                dated.append(parts)
        return dated


def read_values(sample: Sample, features: Mapping[str, Feature], target: str, reading: Reading | None) -> Sampled:
    """Return the features and the target; `reading` is that of a target that is a number, None: it is a class."""
    known = to_plain(sample.column(target))
    given = known.is_valid()
    rows = sample.table.filter(given)
    columns = {name: to_values(to_plain(_join(rows[name])), feature.reading) for name, feature in features.items()}
    moments: dict[str | Parts, Values] = {
        name: columns[name] for name, one in features.items() if one.facts["kind"] == "timestamp"
    }
    return Sampled(columns, to_values(known.filter(given), reading), rows, moments)


def to_values(plain: pa.Array, reading: Reading | None) -> Values:
    """Return a column as numbers, NaN where missing; as codes if it is read as strings."""
    values = reading.read(plain) if reading else to_strings(plain).dictionary_encode().indices
    return np.asarray(values.to_numpy(zero_copy_only=False), np.float64)


def _join(column: pa.ChunkedArray) -> pa.Array:
    return column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)


def _to_seconds(moments: "pd.Series") -> Values:
    seconds = moments.to_numpy().astype("datetime64[s]")
    return np.where(np.isnat(seconds), np.nan, seconds.astype(np.int64).astype(np.float64))
