"""The seam for whatever has its rows as Arrow: batches in, the same batches with their predictions out."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa

from ekiben.contract.errors import InvalidTable
from ekiben.contract.misspelling import find_misspelt
from ekiben.contract.schema import Schema
from ekiben.contract.text_lines import printable
from ekiben.model.package import PackedModel
from ekiben.training.scoring.scorer import Scorer
from ekiben.training.tables.missing import describe_absent

NOTHING: Mapping[str, Any] = {}


def score_batches(
    model: PackedModel,
    batches: Iterable[pa.RecordBatch],
    said: Mapping[str, Any] = NOTHING,
    explain_top: int | None = None,
    threshold: float | None = None,
) -> Iterator[pa.RecordBatch]:
    """Yield every batch with the predictions behind its own columns, as `ekiben predict` writes them.

    The answers are the service's to the bit. A row that does not fit has null in them, and `prediction.problem` says
    why. Strings are read as the schema has it, except for what is `said` of all columns: `decimal`, `null`. With
    `explain_top` each row gets its explanation too, with a `threshold` the last of two classes is the label from that
    probability on. A large batch comes in pieces. Raises InvalidTable if a feature has no column, NothingToExplainBy
    if the model can't explain, InvalidThreshold if it can't be decided so.
    """
    yield from score_with(Scorer(model, said, explain_top, threshold), batches)


def scored_schema(
    model: PackedModel, columns: pa.Schema, said: Mapping[str, Any] = NOTHING, explain_top: int | None = None
) -> pa.Schema:
    """Return the schema of what `score_batches` makes of batches that have this one, without any."""
    return next(score_batches(model, [empty_batch(columns)], said, explain_top)).schema


def empty_batch(columns: pa.Schema) -> pa.RecordBatch:
    """Return a batch without rows."""
    return pa.record_batch([pa.nulls(0, field.type) for field in columns], schema=columns)


def score_with(scorer: Scorer, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Do the same with a scorer that is kept, and counts."""
    known: pa.Schema | None = None
    for batch in batches:
        if known is None or not batch.schema.equals(known):
            check_columns(scorer.schema, "the table", batch.schema.names, scorer.added)
            known = batch.schema
        for piece in cut(batch, scorer.max_rows):
            yield scorer.score(piece)


def check_columns(schema: Schema, described: str, columns: Sequence[str], added: tuple[str, ...]) -> None:
    """Raise InvalidTable if a feature is absent, misspelt or there twice, or a column has the name of an added one."""
    given = Counter(columns)
    absent = {one.name for one in schema.features if one.optional}.difference(given)
    misspelt = find_misspelt([name for name in given if name not in schema.names], absent)
    for feature in schema.features:
        if feature.name not in given and (misspelt or not feature.optional):
            raise InvalidTable(describe_absent(described, feature.name, columns))
        if given[feature.name] > 1:
            raise InvalidTable(printable(f"{described} has two columns `{feature.name}`: leave one out"))
    taken = next((name for name in columns if name.startswith(added)), None)
    if taken is not None:
        raise InvalidTable(printable(f"{described} has a column `{taken}`, as those that are added: rename it"))


def cut(batch: pa.RecordBatch, max_rows: int) -> Iterator[pa.RecordBatch]:
    """Yield a batch in pieces of so many rows; one without rows is one piece."""
    for start in range(0, batch.num_rows or 1, max_rows):
        yield batch.slice(start, max_rows)
