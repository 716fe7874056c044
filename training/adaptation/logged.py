"""The labelled rows of a log whose intervals can be moved: of one network, with their intervals."""

from collections.abc import Iterator, Mapping

import numpy as np

from ekiben.training.adaptation.answered import Answered
from ekiben.training.truth.folder import InvalidLog
from ekiben.training.truth.intervals import describe_unbounded, find_labels, join_answers, keep_bounded
from ekiben.training.truth.labels import UNTIMED
from ekiben.training.truth.rows import LoggedRows
from ekiben.training.wording import count


def find_answered(rows: LoggedRows, margins: Mapping[str, float]) -> tuple[Answered, list[str]]:
    """Return the labelled rows that versions with these margins answered, and what had to be left out.

    Raises InvalidLog if there is none.
    """
    versions = rows.versions.astype(str).to_numpy()
    labelled = np.flatnonzero(rows.labelled)
    ours = labelled[np.isin(versions[labelled], list(margins))]
    held = keep_bounded(rows, ours)
    notes = [*rows.notes, *describe_unbounded(rows), *_describe_others(versions[labelled], margins)]
    if not len(held):
        raise InvalidLog(
            "no labelled row of the log has an interval of the champion's network: "
            + (notes[-1] if notes else "wait for labels, or send them to POST /feedback")
        )
    value, low, high = join_answers(rows, held).astype(np.float64).T
    times, came = rows.times[held], rows.labels.times[rows.label_of[held]]
    untimed = int(np.count_nonzero(came == UNTIMED))
    if untimed:
        notes.append(f"{count(untimed, 'label')} without a time: taken as if they had come with the answers")
    known = np.array([margins[version] for version in versions[held]])
    labels, worth = find_labels(rows, held).astype(np.float64), 1 / rows.shares[held]
    return Answered(times, np.maximum(came, times), labels, value, low, high, known, worth), notes


def _describe_others(versions: np.ndarray, margins: Mapping[str, float]) -> Iterator[str]:
    others = ~np.isin(versions, list(margins))
    if others.any():
        named = ", ".join(np.unique(versions[others])[:5])
        yield f"{count(int(others.sum()), 'labelled row')} of other networks (versions {named}) left out"
