"""The parts of the row log in its types: fixed columns, answers, and some of the features."""

from collections.abc import Iterator, Sequence

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from ekiben.contract.log_columns import FIXED, ID, SHARE, TARGET_KEY, TIME, VERSION, name_answers, name_required
from ekiben.contract.schema import Target
from ekiben.contract.validation import shorten
from ekiben.training.tables.conversion import to_plain
from ekiben.training.tables.plain_types import unpack
from ekiben.training.tables.read import PANDAS_TYPES
from ekiben.training.tables.strings import to_strings
from ekiben.training.truth.folder import LogFolder

_TYPES = {TIME: pa.timestamp("us", tz="UTC"), VERSION: pa.string(), SHARE: pa.float64()}


def read_parts(target: Target, folder: LogFolder, features: Sequence[str]) -> Iterator[pa.Table]:
    """Yield the parts that are of this target, in the types of the log, with those of the features that they have."""
    required = name_required(target)
    bounds = [name for name in name_answers(target) if name not in required]
    for path in folder.rows:
        part = read_part(target, folder, path, required, (*bounds, *features))
        if part is not None:
            yield part


def read_part(
    target: Target, folder: LogFolder, path: str, required: Sequence[str], others: Sequence[str] = ()
) -> pa.Table | None:
    """Return the log's own columns of a part, in their types, and more of its columns; None if it is left out."""
    part = folder.read(path, (*FIXED, *required), others)
    if part is None or not check_target(target, folder, path, part):
        return None
    try:
        typed = _cast(part, name_answers(target))
    except pa.ArrowException as error:
        folder.leave_out(path, str(error).splitlines()[0])
        return None
    if pc.all(pc.and_(pc.greater(typed[SHARE], 0), pc.less_equal(typed[SHARE], 1))).as_py() is False:
        folder.leave_out(path, f"its column `{SHARE}` has values that are not above 0 and at most 1")
        return None
    return typed


def check_target(target: Target, folder: LogFolder, path: str, part: pa.Table) -> bool:
    """Return whether a part is of this target; if not, it is left out."""
    named = (part.schema.metadata or {}).get(TARGET_KEY.encode(), target.name.encode()).decode(errors="replace")
    if named != target.name:
        folder.leave_out(path, f"its target is `{shorten(named)}`, not `{target.name}`")
    return bool(named == target.name)


def _cast(part: pa.Table, answers: Sequence[str]) -> pa.Table:
    wanted = {ID: pa.string(), **_TYPES, **dict.fromkeys(answers, pa.float64())}
    for name in wanted.keys() & set(part.column_names):
        column = part[name].cast(wanted[name])
        if name in _TYPES and column.null_count:
            raise pa.ArrowInvalid(f"its column `{name}` has nulls")
        part = part.set_column(part.schema.get_field_index(name), name, column)
    return part


def take_feature(part: pa.Table, name: str) -> pa.Array:
    """Return a feature's values as training slices them: numbers in float32, strings as codes."""
    if name not in part.column_names:
        return pa.nulls(len(part))
    plain = to_plain(part[name].combine_chunks())
    if pa.types.is_integer(plain.type) or pa.types.is_floating(plain.type):
        return plain.cast(pa.float32(), safe=False)
    if pa.types.is_timestamp(plain.type) or pa.types.is_boolean(plain.type):
        return plain
    return to_strings(plain).dictionary_encode()


def join_chunks(chunks: Sequence[pa.Array]) -> pd.Series:
    """Return one column; where parts differ in its type, as of a column that was hashed later, as strings."""
    kinds = {chunk.type for chunk in chunks if not pa.types.is_null(chunk.type)}
    if len(kinds) > 1:
        chunks = [to_strings(unpack(chunk)).dictionary_encode() for chunk in chunks]
    kind = chunks[0].type if len(kinds) > 1 else next(iter(kinds), pa.dictionary(pa.int32(), pa.string()))
    typed = [pa.nulls(len(chunk), kind) if pa.types.is_null(chunk.type) else chunk for chunk in chunks]
    column = pa.chunked_array(typed, kind)
    unified = column.unify_dictionaries() if pa.types.is_dictionary(kind) else column
    return unified.to_pandas(types_mapper=PANDAS_TYPES.get)
