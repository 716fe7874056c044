"""Offline scoring by the packed model: `ekiben predict TABLE`.

The same schema, encoding and engine as the service's, so the answers are the service's to the bit.
"""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from ekiben.contract.errors import InvalidTable
from ekiben.model.package import PackedModel
from ekiben.training.progress import show_progress
from ekiben.training.scoring.batches import check_columns, score_with
from ekiben.training.scoring.scorer import Scorer
from ekiben.training.scoring.summary import ScoringSummary
from ekiben.training.source_config import FileSource, SqlSource
from ekiben.training.sources import NOTHING, Source, open_source
from ekiben.training.tables.write import check_output, open_writer


def predict(
    model: PackedModel,
    entry: FileSource | SqlSource,
    output: Path | None,
    said: Mapping[str, Any] = NOTHING,
    explain_top: int | None = None,
    threshold: Any = None,
) -> ScoringSummary:
    """Score a table batch by batch and write it with its predictions, as CSV to standard output if no file is named.

    Its strings are read as the schema has it, except for what is `said` of all columns. With `explain_top` each row
    gets its explanation too, with that many attributions; a `threshold` takes the place of the model's own. Raises
    NothingToExplainBy if the model can give none, InvalidThreshold if it decides nothing so, and InvalidTable if the
    table can't be read or lacks a feature; the output is then not touched.
    """
    check_output(output)  # now rather than after the engine, which may be TensorFlow, has started
    source = open_source(entry)
    scorer = Scorer(model, said, explain_top, threshold)
    check_columns(model.schema, source.description, source.columns, scorer.added)
    with open_writer(output) as write, show_progress("predicting") as report:
        for scored in score_with(scorer, timed_batches(source, scorer.summary, report)):
            with scorer.summary.timed("written"):
                write(scored)
        if not scorer.summary.rows:
            raise InvalidTable(f"{source.description} has no rows")
    scorer.summary.notes = source.notes
    return scorer.summary


def timed_batches(source: Source, summary: ScoringSummary, report: Callable[[float], None]) -> Iterator[pa.RecordBatch]:
    """Yield the source's batches, the waiting for them counted as reading."""
    batches = source.batches(source.columns, report)
    while True:
        with summary.timed("read"):
            batch = next(batches, None)
        if batch is None:
            return
        if batch.num_rows:
            yield batch
