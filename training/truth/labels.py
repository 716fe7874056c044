"""Labels that came after the answers: one for each prediction id, the latest of those that were given."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ekiben.contract.log_columns import ID, LABEL, TIME
from ekiben.contract.schema import Target
from ekiben.contract.spellings.spelling import PLAIN, Spelling
from ekiben.training.source_config import FileSource, SqlSource
from ekiben.training.sources import check_asked, open_source
from ekiben.training.tables.plain_types import unpack
from ekiben.training.tables.strings import to_strings
from ekiben.training.truth.folder import LogFolder
from ekiben.training.truth.label_values import WrongLabels, choose_reader
from ekiben.training.truth.parts import check_target
from ekiben.training.wording import count

TABLE_COLUMNS = ("id", "label")  # of a user's table
UNTIMED = np.iinfo(np.int64).min  # microseconds, of a label whose table does not say when it came
_MICROSECONDS = pa.timestamp("us", tz="UTC")

Block = tuple[pa.Array, pa.Array, NDArray[np.int64]]  # ids, labels as given, times


@dataclass(frozen=True)
class Labels:
    """The labels of different ids."""

    ids: pa.Array  # (labels,) string
    values: np.ndarray  # (labels,) float32 0 and 1, int32 positions of classes, or float64 numbers
    times: NDArray[np.int64]  # (labels,) microseconds since 1970 UTC, or UNTIMED
    notes: tuple[str, ...]


def read_logged_labels(target: Target, folder: LogFolder) -> Labels:
    """Read the parts of labels beside the rows; a damaged one is left out and said."""
    return _choose_latest(target, _read_parts(target, folder), PLAIN)


def read_label_table(target: Target, table: FileSource | SqlSource, spelling: Spelling) -> Labels:
    """Read a user's table of columns `id` and `label`, whose numbers are written as `spelling` has it."""
    source = open_source(table)
    check_asked(source, TABLE_COLUMNS)
    blocks = (
        (to_strings(unpack(batch.column(0))), batch.column(1), np.full(len(batch), UNTIMED))
        for batch in source.batches(TABLE_COLUMNS, lambda _: None)
    )
    return _choose_latest(target, blocks, spelling)


def _read_parts(target: Target, folder: LogFolder) -> Iterator[Block]:
    for path in folder.labels:
        part = folder.read(path, (ID, LABEL, TIME))
        if part is None or not part.num_rows or not check_target(target, folder, path, part):
            continue
        try:
            times = part[TIME].cast(_MICROSECONDS).cast(pa.int64()).fill_null(UNTIMED)
            ids = part[ID].cast(pa.string())
        except pa.ArrowException as error:
            folder.leave_out(path, str(error).splitlines()[0])
            continue
        yield ids.combine_chunks(), part[LABEL].combine_chunks(), times.to_numpy()


def _choose_latest(target: Target, blocks: Iterator[Block], spelling: Spelling) -> Labels:
    """Return for each id the label that came last, of those of one time the last in order.

    Each block becomes numbers at once: of a million labels only the ids stay strings.
    """
    read = choose_reader(target, spelling)
    wrong = WrongLabels()
    ids, values, times = [pa.array([], pa.string())], [np.zeros(0)], [np.zeros(0, np.int64)]
    for block_ids, raw, block_times in blocks:
        found, is_wrong = read(raw)
        wrong.add(raw, is_wrong)
        kept = ~is_wrong & block_ids.is_valid().to_numpy(zero_copy_only=False)
        ids.append(block_ids.filter(pa.array(kept)))
        values.append(found[kept])
        times.append(block_times[kept])
    every = pa.chunked_array(ids).combine_chunks().dictionary_encode()
    all_values, all_times = np.concatenate(values), np.concatenate(times)
    latest = np.empty(len(every.dictionary), np.int64)
    order = np.argsort(all_times, kind="stable")
    latest[every.indices.to_numpy()[order]] = order  # of an id's positions the last stays
    repeats = len(all_values) - len(latest)
    notes = [f"{count(repeats, 'label')} came for an id that had one: the latest counts"] if repeats else []
    notes += wrong.describe(target)
    dtype = {"binary": np.float32, "multiclass": np.int32, "regression": np.float64}[target.task]
    return Labels(every.dictionary, all_values[latest].astype(dtype), all_times[latest], tuple(notes))
