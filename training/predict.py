"""Offline scoring by the packed model: `ekiben predict TABLE`.

The same schema, encoding and engine as the service's, so the answers are the service's to the bit.
"""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from ekiben.contract.answers import Answers, to_columns
from ekiben.contract.category_codes import UNSEEN
from ekiben.contract.encoding import Encoder
from ekiben.contract.errors import InvalidTable
from ekiben.contract.feature import Feature, Number
from ekiben.contract.misspelling import find_misspelt
from ekiben.contract.schema import Target
from ekiben.contract.spellings.spelling import Spelling, spelling_of
from ekiben.contract.validation import expect, show, validate_row
from ekiben.model.package import PackedModel
from ekiben.training.explained_columns import BATCH_ROWS, PREFIXES, Explained
from ekiben.training.progress import show_progress
from ekiben.training.scoring_summary import PREFIX, PROBLEM, ScoringSummary
from ekiben.training.source_config import FileSource, SqlSource
from ekiben.training.sources import NOTHING, Source, check_asked, open_source
from ekiben.training.tables.conversion import convert
from ekiben.training.tables.json_rows import to_rows
from ekiben.training.tables.read import PANDAS_TYPES
from ekiben.training.tables.write import open_writer


class Scorer:
    """Scores batches of a table with one packed model."""

    def __init__(self, model: PackedModel, said: Mapping[str, Any] = NOTHING, top: int | None = None) -> None:
        self.schema = model.schema
        self.summary = ScoringSummary()
        self._spellings = {feature.name: _spell(feature, said) for feature in model.schema.features}
        self._engine = model.start_engine()
        self._encoder = Encoder(model.schema)
        self._explained = None if top is None else Explained(model, self._engine, top)

    def score(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Return the batch with the predictions behind its own columns; a row that does not fit gets none."""
        summary = self.summary
        with summary.timed("converted"):
            frame, parse_failures = self._read_features(batch)
        with summary.timed("encoded"):
            encoded = self._encoder.encode(frame)
            rejected = self._find_rejected(frame, parse_failures, self._encoder.find_out_of_range(encoded))
        with summary.timed("network"):
            answers = self._engine.run(encoded)
        summary.rows += batch.num_rows
        summary.rejected += int(rejected.sum())
        summary.unseen += int((encoded.codes == UNSEEN).any(axis=1).sum())
        problems = [self._explain(int(row), batch, frame, parse_failures) for row in np.flatnonzero(rejected)]
        added = predict_columns(self.schema.target, answers, rejected, problems)
        if self._explained is not None:
            with summary.timed("explained"):
                added |= self._explained.explain(encoded, rejected)
            summary.unsettled = self._explained.unsettled
        return add_columns(batch, added)

    def _read_features(self, batch: pa.RecordBatch) -> tuple[pd.DataFrame, dict[str, NDArray[np.bool_]]]:
        columns, parse_failures = {}, {}
        for feature in self.schema.features:
            converted = convert(read_column(batch, feature), feature.kind, self._spellings[feature.name])
            columns[feature.name] = converted.values.to_pandas(types_mapper=PANDAS_TYPES.get)
            if converted.parse_failure is not None:
                parse_failures[feature.name] = converted.parse_failure
        return pd.DataFrame(columns, copy=False), parse_failures

    def _find_rejected(
        self, frame: pd.DataFrame, parse_failures: dict[str, NDArray[np.bool_]], beyond: NDArray[np.bool_]
    ) -> NDArray[np.bool_]:
        needed = [feature.name for feature in self.schema.features if not feature.nullable]
        rejected = beyond.any(axis=1) | frame[needed].isna().any(axis=1).to_numpy()
        for parse_failure in parse_failures.values():
            rejected |= parse_failure
        return rejected

    def _explain(
        self, row: int, batch: pa.RecordBatch, frame: pd.DataFrame, parse_failures: dict[str, NDArray[np.bool_]]
    ) -> str:
        wrong = [f for f in self.schema.features if f.name in parse_failures and parse_failures[f.name][row]]
        said = []
        for feature in wrong:
            shown = str(batch.column(feature.name)[row].as_py()).strip()
            expected = expect(feature.kind, shown, self._spellings[feature.name])
            said.append(f"`{feature.name}`: expected {expected}, got {show(shown)}")
        (given,) = to_rows(self.schema, frame.iloc[[row]])
        named = {feature.name for feature in wrong}
        said += [f"`{p.field}`: {p.message}" for p in validate_row(self.schema, row, given) if p.field not in named]
        return "; ".join(said)


def predict(
    model: PackedModel,
    entry: FileSource | SqlSource,
    output: Path | None,
    said: Mapping[str, Any] = NOTHING,
    explain_top: int | None = None,
) -> ScoringSummary:
    """Score a table batch by batch and write it with its predictions, as CSV to standard output if no file is named.

    Its strings are read as the schema has it, except for what is `said` of all columns. With `explain_top` each row
    gets its explanation too, with that many attributions. Raises NothingToExplainBy if the model can give none, and
    InvalidTable if the table can't be read or lacks a feature; the output is then not touched.
    """
    source = open_source(entry)
    check_columns(model, source, (PREFIX,) if explain_top is None else (PREFIX, *PREFIXES))
    scorer = Scorer(model, said, explain_top)
    with open_writer(output) as write, show_progress("predicting") as report:
        for batch in timed_batches(source, scorer.summary, report):
            for part in [batch] if explain_top is None else cut(batch):
                scored = scorer.score(part)
                with scorer.summary.timed("written"):
                    write(scored)
        if not scorer.summary.rows:
            raise InvalidTable(f"{source.description} has no rows")
    scorer.summary.notes = source.notes
    return scorer.summary


def read_column(batch: pa.RecordBatch, feature: Feature) -> pa.Array:
    """Return a feature's column, of its default where an optional one is absent."""
    if feature.optional and feature.name not in batch.schema.names:
        return pa.array([feature.default] * batch.num_rows, pa.string() if feature.default is None else None)
    return batch.column(feature.name)


def check_columns(model: PackedModel, source: Source, added: tuple[str, ...]) -> None:
    """Raise InvalidTable if a feature is absent or misspelt, or a column is called as one that is added."""
    features = model.schema.features
    absent = {one.name for one in features if one.optional}.difference(source.columns)
    misspelt = find_misspelt([name for name in source.columns if name not in model.schema.names], absent)
    check_asked(source, [one.name for one in features if one.name not in absent or misspelt])
    taken = [name for name in source.columns if name.startswith(added)]
    if taken:
        raise InvalidTable(f"{source.description} has a column `{taken[0]}`, as those that are added: rename it")


def cut(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """Yield a batch in pieces that are explained within a second or so."""
    for start in range(0, batch.num_rows, BATCH_ROWS):
        yield batch.slice(start, BATCH_ROWS)


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


def predict_columns(
    target: Target, answers: Answers, rejected: NDArray[np.bool_], problems: list[str]
) -> dict[str, pa.Array]:
    """Return the columns that are added, null where a row is rejected."""
    mask = rejected if rejected.any() else None
    columns: dict[str, Any] = {PREFIX + name: pa.array(v, mask=mask) for name, v in to_columns(target, answers).items()}
    strings = np.full(len(rejected), None, object)
    strings[rejected] = problems
    return {**columns, PROBLEM: pa.array(strings, pa.string())}


def add_columns(batch: pa.RecordBatch, added: dict[str, pa.Array]) -> pa.RecordBatch:
    """Return the batch with more columns behind its own."""
    return pa.record_batch([*batch.columns, *added.values()], names=[*batch.schema.names, *added])


def _spell(feature: Feature, said: Mapping[str, Any]) -> Spelling:
    """Return how a feature's column is written, with what is said of all columns."""
    others = {"decimal": said["decimal"]} if "decimal" in said and isinstance(feature, Number) else {}
    return spelling_of(feature, **others, null=(*feature.null, *said.get("null", ())))
