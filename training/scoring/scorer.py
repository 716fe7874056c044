"""Scores batches of a table with one packed model."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from ekiben.contract.category_codes import UNSEEN
from ekiben.contract.encoding import Encoder
from ekiben.contract.threshold import replace_threshold
from ekiben.model.package import PackedModel
from ekiben.training.scoring.added import add_columns, predict_columns
from ekiben.training.scoring.explained import BATCH_ROWS, PREFIXES, Explained
from ekiben.training.scoring.features import FeatureReader
from ekiben.training.scoring.summary import PREFIX, ScoringSummary

MAX_ROWS = 1 << 16  # scored at once, however many a batch has: memory stays bounded


class Scorer:
    """Adds predictions to batches, and explanations with `explain_top` attributions; used by one thread at a time.

    Strings are read as the schema has it, except for what is `said` of all columns; labels are decided by the
    `threshold`, if it is given. Raises NothingToExplainBy if the model can explain nothing, and InvalidThreshold.
    """

    def __init__(
        self, model: PackedModel, said: Mapping[str, Any], explain_top: int | None = None, threshold: Any = None
    ) -> None:
        self.schema, self._target = model.schema, model.schema.target
        if threshold is not None:
            self._target = replace_threshold(self._target, threshold, "threshold")
        self.summary = ScoringSummary()
        self.added = (PREFIX,) if explain_top is None else (PREFIX, *PREFIXES)
        self.max_rows = MAX_ROWS if explain_top is None else BATCH_ROWS
        self._reader = FeatureReader(model.schema, said)
        self._engine = model.start_engine()
        self._encoder = Encoder(model.schema)
        self._explained = None if explain_top is None else Explained(model, self._engine, explain_top)

    def score(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Return the batch with the predictions behind its own columns; a row that does not fit gets none."""
        summary = self.summary
        with summary.timed("converted"):
            features = self._reader.read(batch)
            rejected = features.find_rejected()
        with summary.timed("encoded"):
            encoded = self._encoder.encode(features.to_columns())
            rejected |= self._encoder.find_out_of_range(encoded).any(axis=1)
        with summary.timed("network"):
            answers = self._engine.run(encoded)
        summary.rows += batch.num_rows
        summary.rejected += int(rejected.sum())
        summary.unseen += int((encoded.codes == UNSEEN).any(axis=1).sum())
        problems = [features.explain(int(row)) for row in np.flatnonzero(rejected)]
        added = predict_columns(self._target, answers, rejected, problems)
        if self._explained is not None:
            with summary.timed("explained"):
                added |= self._explained.explain(encoded, rejected)
            summary.unsettled = self._explained.unsettled
        return add_columns(batch, added)
