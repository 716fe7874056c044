"""One reading of a table on disk that learns of every column what a schema is made of, and of every part its size."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from ekiben.contract.schema import Target
from ekiben.training.dataset.column_summary import ColumnSummary, summarize
from ekiben.training.dataset.groups import TRAIN
from ekiben.training.dataset.schema_learning import choose_min_rows
from ekiben.training.dataset.target import encode_labels
from ekiben.training.streaming.counting import ValueCounts, count_frequent
from ekiben.training.streaming.cutting import Cut
from ekiben.training.tables.on_disk import TableOnDisk, to_frame

PARTS = 3


@dataclass
class Survey:
    """What was found of the columns and of the parts."""

    summaries: dict[str, ColumnSummary] = field(default_factory=dict)  # by feature
    sizes: tuple[int, int, int] = (0, 0, 0)
    label_ends: tuple[tuple[float, float], ...] = ((np.inf, -np.inf),) * PARTS  # the least and greatest of each part

    def add(self, column: str, summary: ColumnSummary) -> None:
        """Add a group's column."""
        known = self.summaries.get(column)
        self.summaries[column] = known + summary if known else summary

    def add_parts(self, parts: np.ndarray, labels: np.ndarray) -> None:
        """Add a group's rows, each of that part, (rows,)."""
        within = [labels[parts == part].astype(np.float64) for part in range(PARTS)]
        one, two, three = (size + len(some) for size, some in zip(self.sizes, within, strict=True))
        self.sizes = (one, two, three)
        self.label_ends = tuple(
            (min(low, some.min(initial=np.inf)), max(high, some.max(initial=-np.inf)))
            for (low, high), some in zip(self.label_ends, within, strict=True)
        )


def survey_columns(
    table: TableOnDisk, features: Mapping[str, Mapping[str, Any]], target: Target, cut: Cut, head_rows: int
) -> tuple[Survey, pd.DataFrame]:
    """Return what was found, and the table's first rows."""
    survey, heads, held, first = Survey(), [], 0, 0
    counts = {name: ValueCounts() for name, known in features.items() if known["kind"] == "category"}
    for columns in table.groups():
        frame = to_frame(table.kinds, columns)
        parts = cut.place(frame, first)
        trained = parts == TRAIN
        for name, known in features.items():
            column = frame[name]
            survey.add(name, summarize(column, column[trained], str(known["kind"]), counted=False))
        for name, counted in counts.items():
            counted.add(columns[name].filter(pa.array(trained)))
        survey.add_parts(parts, encode_labels(target, frame[target.name]))
        if held < head_rows:
            heads.append({name: values.slice(0, head_rows - held) for name, values in columns.items()})
            held += len(heads[-1][target.name])
        first += len(frame)
    for name, counted in counts.items():
        exact = counted.finish() if counted.is_exact else _count_again(table, name, cut, survey.summaries[name])
        survey.summaries[name] = replace(survey.summaries[name], counts=exact)
    return survey, join_rows(table.kinds, heads)


def join_rows(kinds: Mapping[str, str], parts: Sequence[Mapping[str, pa.Array]]) -> pd.DataFrame:
    """Return rows of several groups as a table in memory has them."""
    return to_frame(kinds, {name: pa.concat_arrays([part[name] for part in parts]) for name in kinds})


def _count_again(table: TableOnDisk, name: str, cut: Cut, summary: ColumnSummary) -> "pd.Series[Any]":
    """Count a column with many different values on its own."""

    def read() -> Iterator[pa.Array]:
        names, first = list(dict.fromkeys([name, *filter(None, [cut.split.moment])])), 0
        for columns in table.groups(names):
            parts = cut.place(to_frame(table.kinds, columns), first)
            first += len(parts)
            yield columns[name].filter(pa.array(parts == TRAIN))

    return count_frequent(read, choose_min_rows(summary.train_rows))
