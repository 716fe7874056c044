"""The columns that scoring adds to a table's own."""

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ekiben.contract.answers import Answers, to_columns
from ekiben.contract.schema import Target
from ekiben.training.scoring.summary import PREFIX, PROBLEM


def predict_columns(
    target: Target, answers: Answers, rejected: NDArray[np.bool_], problems: list[str]
) -> dict[str, pa.Array]:
    """Return the columns of the predictions, null where a row is rejected, and of what is wrong with that."""
    mask = rejected if rejected.any() else None
    labels = pa.array(target.classes).type  # said, since a batch without rows has no labels to tell it by
    columns = {
        PREFIX + name: pa.array(values, labels if name == "label" else pa.float64(), mask=mask)
        for name, values in to_columns(target, answers).items()
    }
    strings = np.full(len(rejected), None, object)
    strings[rejected] = problems
    return {**columns, PROBLEM: pa.array(strings, pa.string())}


def add_columns(batch: pa.RecordBatch, added: dict[str, pa.Array]) -> pa.RecordBatch:
    """Return the batch with more columns behind its own."""
    return pa.record_batch([*batch.columns, *added.values()], names=[*batch.schema.names, *added])
