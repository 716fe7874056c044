"""What runs on the executors: a shipped model is opened once a process and scores every batch that comes there."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyspark import SparkFiles

from ekiben.contract.errors import InvalidModel
from ekiben.model.package import open_model
from ekiben.training.scoring.batches import NOTHING, score_with
from ekiben.training.scoring.scorer import Scorer
from ekiben.training.scoring.summary import PREFIX

PREDICTION = PREFIX.removesuffix(".")  # the column that is added: a struct
_scorers: dict[str, Scorer] = {}  # by the digest of the model; Spark keeps the process for later tasks


def find_scorer(archive: str, digest: str) -> Scorer:
    """Return the scorer of a shipped model; raise InvalidModel unless it arrived as it was packed."""
    if digest not in _scorers:
        folder = Path(SparkFiles.get(archive))
        if not folder.is_dir():
            raise InvalidModel(f"Spark unpacked no {archive} on this executor: start the session again")
        _scorers[digest] = Scorer(open_model(folder, digest), NOTHING)
    return _scorers[digest]


def score_rows(scorer: Scorer, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Yield batches with their predictions as one struct behind their own columns."""
    for scored in score_with(scorer, batches):
        own = [name for name in scored.schema.names if not name.startswith(PREFIX)]
        yield pa.record_batch([*(scored[name] for name in own), nest(scored)], names=[*own, PREDICTION])


def score_structs(scorer: Scorer, arrays: Iterable[pa.StructArray]) -> Iterator[pa.StructArray]:
    """Yield the predictions of rows that are structs, each as a struct."""
    for array in arrays:
        names = [field.name for field in array.type]
        batch = pa.record_batch(array.flatten(), names=names)
        yield pa.concat_arrays([nest(scored) for scored in score_with(scorer, [batch])])


def nest(scored: pa.RecordBatch) -> pa.StructArray:
    """Return the columns that scoring added as one: `prediction.probabilities.AA` is then a path, and spelled alike."""
    return _gather({name.removeprefix(PREFIX): scored[name] for name in scored.schema.names if name.startswith(PREFIX)})


def _gather(columns: Mapping[str, pa.Array]) -> pa.StructArray:
    gathered: dict[str, Any] = {}
    for name, column in columns.items():
        first, dot, rest = name.partition(".")
        if dot:
            gathered.setdefault(first, {})[rest] = column
        else:
            gathered[first] = column
    arrays = [_to_struct(one) if isinstance(one, dict) else one for one in gathered.values()]
    return pa.StructArray.from_arrays(arrays, names=list(gathered))


def _to_struct(columns: Mapping[str, pa.Array]) -> pa.StructArray:
    return pa.StructArray.from_arrays(list(columns.values()), names=list(columns))
