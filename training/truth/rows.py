"""Logged answers joined with their labels by prediction id.

Parts are read one by one, only the columns that are asked for, and a row leaves nothing but numbers behind: its id is
forgotten once its label is found.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from ekiben.contract.log_columns import BOUNDS, SHARE, TIME, VERSION, name_answers, name_required
from ekiben.contract.schema import Target
from ekiben.training.evaluate.weights import Weights
from ekiben.training.truth.folder import InvalidLog, LogFolder
from ekiben.training.truth.labels import UNTIMED, Labels
from ekiben.training.truth.matching import UNLABELLED, describe_matches, match
from ekiben.training.truth.parts import join_chunks, read_parts, take_feature
from ekiben.training.wording import count

MAX_CELLS = 1 << 28  # answers that are kept: 1 GiB


@dataclass(frozen=True)
class LoggedRows:
    """The rows of a log, each with its answer and, if it came, its label; everything is (rows,) but `answers`."""

    target: Target
    times: NDArray[np.int64]  # microseconds since 1970 UTC
    versions: pd.Series
    shares: NDArray[np.float64]
    answers: NDArray[np.float32]  # (rows, outputs); of a regression the value alone
    bounds: NDArray[np.float32] | None  # (rows, 2) of a regression, NaN where they were not logged
    label_of: NDArray[np.int64]  # positions in `labels`, or UNLABELLED
    labels: Labels
    features: Mapping[str, pd.Series]
    notes: tuple[str, ...]

    @property
    def labelled(self) -> NDArray[np.bool_]:
        """Which rows have a label."""
        return np.asarray(self.label_of != UNLABELLED)

    def list_labels(self, unknown: float) -> np.ndarray:
        """Return every row's label, (rows,), or `unknown`."""
        listed = np.full(len(self.label_of), unknown, self.labels.values.dtype)
        listed[self.labelled] = self.labels.values[self.label_of[self.labelled]]
        return listed

    def weigh(self, rows: NDArray[np.bool_] | NDArray[np.int64]) -> Weights:
        """Return how many rows each of these stands for; None if they all stand for as many."""
        shares = self.shares[rows]
        return None if not len(shares) or (shares == shares[0]).all() else 1 / shares

    def lags(self, rows: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Return after how many seconds the labels of these rows came, where that is known; never less than 0."""
        here = rows & self.labelled
        came = self.labels.times[self.label_of[here]]
        known = came != UNTIMED
        return np.asarray(np.maximum(0, (came - self.times[here])[known] / 1e6))


def read_rows(target: Target, folder: LogFolder, labels: Labels, features: Mapping[str, str]) -> LoggedRows:
    """Read every part and find the labels of its rows; raise InvalidLog if no row is left.

    They are in the order of time. `features` are the columns of those that are read with them. Rows without a finite
    answer are left out; of rows with one id and a label only the latest is kept.
    """
    blocks = list(_read_blocks(target, folder, labels, features))
    if not sum(len(block.times) for block in blocks):
        raise InvalidLog(next(folder.describe_left_out(), f"{folder.name} has no rows yet: wait for requests"))
    rows = _concatenate(target, labels, blocks, features)
    finite = np.isfinite(rows.answers).all(axis=1)
    latest = find_latest(rows.label_of, rows.times)
    known = np.zeros(len(labels.ids), bool)
    known[rows.label_of[rows.labelled]] = True
    matches = describe_matches(folder, labels, known, bool((rows.shares < 1).any()))
    notes = [*folder.describe_left_out(), *labels.notes, *matches]
    if not finite.all():
        notes.append(f"{count(int((~finite).sum()), 'row')} without a finite answer left out")
    if not latest.all():
        notes.append(f"{count(int((~latest).sum()), 'row')} left out whose id was logged again later, with one label")
    order = np.argsort(rows.times, kind="stable")  # sums are then the same however the rows lie in parts
    return keep(rows, order[(finite & latest)[order]], notes)


def keep(rows: LoggedRows, kept: NDArray[np.int64], notes: Sequence[str]) -> LoggedRows:
    """Return the rows at some positions, in this order."""
    return LoggedRows(
        rows.target, rows.times[kept], rows.versions.iloc[kept], rows.shares[kept], rows.answers[kept],
        None if rows.bounds is None else rows.bounds[kept],
        rows.label_of[kept], rows.labels, {name: column.iloc[kept] for name, column in rows.features.items()},
        tuple(notes),
    )  # fmt: skip


def find_latest(label_of: NDArray[np.int64], times: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return which rows, (rows,), have no label, or one that no later row has too."""
    labelled = np.flatnonzero(label_of != UNLABELLED)
    order = labelled[np.argsort(times[labelled], kind="stable")]
    last = np.zeros(int(label_of.max(initial=UNLABELLED)) + 1, np.int64)
    last[label_of[order]] = order
    latest = np.asarray(label_of == UNLABELLED)
    latest[last[label_of[labelled]]] = True
    return latest


@dataclass(frozen=True)
class _Block:
    """What is kept of a part."""

    times: NDArray[np.int64]
    versions: pa.ChunkedArray
    shares: NDArray[np.float64]
    answers: NDArray[np.float32]
    bounds: NDArray[np.float32] | None
    label_of: NDArray[np.int64]
    features: Mapping[str, pa.Array]


def _read_blocks(target: Target, folder: LogFolder, labels: Labels, features: Mapping[str, str]) -> Iterator[_Block]:
    rows, answers, regression = 0, name_required(target), target.task == "regression"
    for part, label_of in match(read_parts(target, folder, tuple(features.values())), labels):
        rows += len(part)
        if rows * len(name_answers(target)) > MAX_CELLS:
            raise InvalidLog(f"{folder.name} has more than {rows - len(part):,} rows: move the oldest parts elsewhere")
        yield _Block(
            part[TIME].cast(pa.int64()).to_numpy(),
            part[VERSION].dictionary_encode(),
            part[SHARE].to_numpy(),
            _stack(part, answers),
            _stack(part, BOUNDS) if regression else None,
            label_of,
            {name: take_feature(part, column) for name, column in features.items()},
        )


def _stack(part: pa.Table, names: Sequence[str]) -> NDArray[np.float32]:
    """Return columns of numbers, (rows, columns), NaN where they are null or the part has none."""
    missing = pa.nulls(len(part), pa.float64())
    columns = [part[name] if name in part.column_names else pa.chunked_array([missing]) for name in names]
    return np.stack([column.fill_null(np.nan).to_numpy().astype(np.float32) for column in columns], axis=1)


def _concatenate(target: Target, labels: Labels, blocks: Sequence[_Block], features: Mapping[str, str]) -> LoggedRows:
    versions = pa.chunked_array([chunk for block in blocks for chunk in block.versions.chunks])
    return LoggedRows(
        target,
        np.concatenate([block.times for block in blocks]),
        versions.unify_dictionaries().to_pandas(),
        np.concatenate([block.shares for block in blocks]),
        np.concatenate([block.answers for block in blocks]),
        np.concatenate(bounds) if (bounds := [block.bounds for block in blocks if block.bounds is not None]) else None,
        np.concatenate([block.label_of for block in blocks]),
        labels,
        {name: join_chunks([block.features[name] for block in blocks]) for name in features},
        (),
    )
