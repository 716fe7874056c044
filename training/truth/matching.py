"""Which label each logged row has: the join by prediction id.

Ids are looked up for many parts at once: each time Arrow hashes all labels, and a service writes a part a minute.
"""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ekiben.contract.log_columns import ID
from ekiben.training.truth.folder import InvalidLog, LogFolder
from ekiben.training.truth.labels import Labels
from ekiben.training.wording import count

UNLABELLED = -1
LOOKED_UP = 1 << 18  # rows
MAX_SHOWN = 40  # characters of an id


def match(parts: Iterable[pa.Table], labels: Labels) -> Iterator[tuple[pa.Table, NDArray[np.int64]]]:
    """Yield each part with the positions of its rows' labels, (rows,), or UNLABELLED."""
    waiting: list[pa.Table] = []
    for part in parts:
        waiting.append(part)
        if sum(map(len, waiting)) >= LOOKED_UP:
            yield from _look_up(waiting, labels)
            waiting = []
    yield from _look_up(waiting, labels)


def _look_up(parts: Sequence[pa.Table], labels: Labels) -> Iterator[tuple[pa.Table, NDArray[np.int64]]]:
    ids = pa.chunked_array([chunk for part in parts for chunk in part[ID].chunks], pa.string())
    found = pc.index_in(ids, value_set=labels.ids).fill_null(UNLABELLED).to_numpy().astype(np.int64)
    ends = np.cumsum([len(part) for part in parts])
    yield from zip(parts, np.split(found, ends[:-1]), strict=True) if parts else ()


def describe_matches(folder: LogFolder, labels: Labels, known: NDArray[np.bool_], sampled: bool) -> Iterator[str]:
    """Yield how many labels are of no logged row; raise InvalidLog if that is all of them.

    `known`, (labels,), are those of a logged row.
    """
    unknown = int((~known).sum())
    if unknown and unknown == len(known):
        shown = str(labels.ids[0])[:MAX_SHOWN]
        raise InvalidLog(
            f"none of the {count(unknown, 'label')} is of a row logged in {folder.name}: an id is the answer's "
            f"X-Prediction-Id or the caller's own, with /0, /1, … for each of several rows, not {shown!r}"
        )
    if unknown:
        reason = " (rows that LOG_SAMPLE did not take)" if sampled else ""
        yield f"{count(unknown, 'label')} of ids that were not logged{reason}"
