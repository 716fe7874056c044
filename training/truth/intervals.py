"""What live scores say of a regression's intervals: of the labelled rows whose interval was logged."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ekiben.contract.schema import Target
from ekiben.model.training_scores import Covered
from ekiben.training.evaluate import score
from ekiben.training.evaluate.coverage import cover
from ekiben.training.truth.rows import LoggedRows
from ekiben.training.wording import count

OF_INTERVALS = ("interval_coverage", "interval_width")


def score_rows(target: Target, rows: LoggedRows, chosen: NDArray[np.int64]) -> dict[str, float]:
    """Return the metrics of labelled rows at some positions, one at least."""
    held = keep_bounded(rows, chosen)
    if len(held) == len(chosen) and rows.bounds is not None:
        return score(target, find_labels(rows, held), join_answers(rows, held), rows.weigh(held))
    scores = score(target, find_labels(rows, chosen), rows.answers[chosen], rows.weigh(chosen))
    if not len(held):
        return scores
    of_held = score(target, find_labels(rows, held), join_answers(rows, held), rows.weigh(held))
    return scores | {name: of_held[name] for name in OF_INTERVALS}


def cover_rows(rows: LoggedRows, chosen: NDArray[np.int64], name: str) -> Covered | None:
    """Return how often the intervals of labelled rows at some positions held; None of none."""
    held = keep_bounded(rows, chosen)
    if not len(held):
        return None
    return cover(name, find_labels(rows, held), join_answers(rows, held), rows.weigh(held))


def keep_bounded(rows: LoggedRows, chosen: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return those of some positions whose interval was logged."""
    return chosen[:0] if rows.bounds is None else chosen[np.isfinite(rows.bounds[chosen]).all(axis=1)]


def find_labels(rows: LoggedRows, chosen: NDArray[np.int64]) -> np.ndarray:
    """Return the labels of rows at some positions, all of which have one."""
    return np.asarray(rows.labels.values[rows.label_of[chosen]])


def join_answers(rows: LoggedRows, chosen: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return value, low and high of rows at some positions, (rows, 3)."""
    assert rows.bounds is not None  # of what `keep_bounded` kept
    return np.concatenate([rows.answers[chosen], rows.bounds[chosen]], axis=1)


def describe_unbounded(rows: LoggedRows) -> Iterator[str]:
    """Yield a sentence if labelled rows have no interval."""
    labelled = np.flatnonzero(rows.labelled)
    absent = len(labelled) - len(keep_bounded(rows, labelled))
    if rows.bounds is not None and absent:
        yield f"{count(absent, 'labelled row')} without an interval, as logged before: its scores are of the others"
