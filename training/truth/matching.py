"""Which label each logged row has: the join by prediction id."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ekiben.contract.log_columns import ID
from ekiben.training.truth.folder import InvalidLog, LogFolder
from ekiben.training.truth.labels import Labels
from ekiben.training.wording import count

UNLABELLED = -1
MAX_SHOWN = 40  # characters of an id


def match(rows: pa.Table, labels: Labels) -> NDArray[np.int64]:
    """Return the position of each row's label, (rows,), or UNLABELLED."""
    found = pc.index_in(rows[ID].cast(pa.string()), value_set=labels.ids).fill_null(UNLABELLED)
    return np.asarray(found.to_numpy().astype(np.int64))


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
