"""Which groups of rows were hashed before, of a source that has grown since: these are not hashed again.

Nothing is trusted that may have changed. A file is taken for the one that was read only if its path, inode, size, both
of its times and its ends are the same; it was two seconds old by then, so that no later write can share its times; and
its values are read the same way, by the same code. Rows after the first file that is another are hashed, and so is a
source that isn't files: a query, a log, an Iceberg table. A CSV file that has grown is another file.
"""

import hashlib
import importlib.metadata
import os
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow import parquet
from pydantic import BaseModel, ConfigDict, ValidationError

from ekiben.contract.errors import UserError
from ekiben.training.digests import digest_json, digest_rooms
from ekiben.training.home import find_data
from ekiben.training.problem import ProblemConfig
from ekiben.training.sources import Source
from ekiben.training.sources.csv.delimited import DelimitedFile
from ekiben.training.sources.json_records import JsonRecords
from ekiben.training.sources.lake import LakeTable
from ekiben.training.sources.parquet.parquet import ParquetFiles
from ekiben.training.sources.sheet import Sheet
from ekiben.training.versions.digest import GROUP_ROWS, Fingerprint, Group
from ekiben.training.versions.folder import TABLES, LocalFolder

INDEX = "known"
SETTLED_S = 2.0  # file systems' times are coarser than writes are quick
ENDS_BYTES = 4096
ROOMS = ("contract", "training")  # whose code reads a table
LIBRARIES = ("pyarrow", "pandas", "numpy", "duckdb")


class Piece(BaseModel):
    """A file that rows came from, as it was before they were read."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: str
    inode: int
    bytes: int
    changed_ns: tuple[int, int]  # the times of its content and of its inode
    ends: str  # the digest of its first and last bytes


class Reading(BaseModel):
    """How a table's rows came from files."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    problem: str
    way: str  # a digest of all that says how a value is read
    pieces: tuple[Piece, ...]
    rows: tuple[int, ...]  # of the table, up to the end of each piece
    whole: tuple[str, ...] = ()  # categories that were found to be whole numbers, which more rows may change


class Known(BaseModel):
    """A reading, and the digests of the groups that lie in its pieces."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    reading: Reading
    kinds: dict[str, str]
    groups: tuple[Group, ...]


def observe(problem: ProblemConfig, source: Source) -> Reading | None:
    """Return what a table is about to be read from; None if that may change without being noticed."""
    paths = list_files(source)
    schema = str(source.schema) if isinstance(source, ParquetFiles | LakeTable) else ""
    libraries = [importlib.metadata.version(name) for name in LIBRARIES]
    way = digest_json([problem.model_dump(mode="json"), list(source.columns), schema, digest_rooms(*ROOMS), libraries])
    try:
        pieces = tuple(map(describe_file, paths))
        rows = [parquet.read_metadata(path).num_rows for path in paths] if len(paths) > 1 else [0]
    except (OSError, pa.ArrowException):
        return None  # who reads it says why
    return Reading(problem=problem.name, way=way, pieces=pieces, rows=tuple(np.cumsum(rows))) if pieces else None


def confirm(reading: Reading, whole: Sequence[str], rows: pd.Index) -> Reading | None:
    """Return the reading after it, of which these rows of the source are the table's; None if a file was changed."""
    try:
        if tuple(describe_file(Path(piece.path)) for piece in reading.pieces) != reading.pieces:
            return None
    except OSError:
        return None
    ends = np.searchsorted(rows, reading.rows) if len(reading.pieces) > 1 else [len(rows)]
    return reading.model_copy(update={"rows": tuple(map(int, ends)), "whole": tuple(whole)})


def recall(reading: Reading, kinds: Mapping[str, str]) -> tuple[Group, ...]:
    """Return the digests of the table's first groups, as far as they are known."""
    checksum, _, content = (_folder().read(_name(reading)) or b"").partition(b"\n")
    try:
        known = Known.model_validate_json(content)
    except ValidationError:
        return ()
    if checksum != _check(content):  # of a disk that forgets
        return ()
    then, first = known.reading, len(known.reading.pieces)
    is_same = (then.way, then.whole, known.kinds) == (reading.way, reading.whole, dict(kinds))
    if is_same and (then.pieces, then.rows) == (reading.pieces[:first], reading.rows[:first]):
        return known.groups if first == len(reading.pieces) else tuple(filter(is_full, known.groups))
    return ()


def remember(reading: Reading, found: Fingerprint) -> None:
    """Keep the digests of the groups that lie in files which no later write can resemble."""
    now_ns = time.time_ns()
    fresh = (max(piece.changed_ns) > now_ns - SETTLED_S * 1e9 for piece in reading.pieces)
    first = next((index for index, is_fresh in enumerate(fresh) if is_fresh), len(reading.pieces))
    if not first:
        return
    cut = reading.model_copy(update={"pieces": reading.pieces[:first], "rows": reading.rows[:first]})
    groups = found.groups if first == len(reading.pieces) else found.groups[: cut.rows[-1] // GROUP_ROWS]
    known = Known(reading=cut, kinds=dict(found.kinds), groups=tuple(groups))
    content = known.model_dump_json().encode()
    with suppress(UserError):  # of a full disk: the rows are hashed again
        _folder().write(_name(reading), _check(content) + b"\n" + content)


def list_files(source: Source) -> Sequence[Path]:
    """Return the files that a source's rows come from, in the order of these; none if it isn't files."""
    if isinstance(source, ParquetFiles):
        return source.folder.files
    if isinstance(source, LakeTable):
        return source.files
    return (source.path,) if isinstance(source, DelimitedFile | JsonRecords | Sheet) else ()


def describe_file(path: Path) -> Piece:
    """Return what tells that a file was not written to; raise OSError if it can't be read."""
    with path.open("rb") as file:
        status = os.fstat(file.fileno())
        start = file.read(ENDS_BYTES)
        file.seek(max(0, status.st_size - ENDS_BYTES))
        ends = hashlib.sha256(start + file.read(ENDS_BYTES)).hexdigest()
    changed = (status.st_mtime_ns, status.st_ctime_ns)
    return Piece(path=str(path.resolve()), inode=status.st_ino, bytes=status.st_size, changed_ns=changed, ends=ends)


def is_full(group: Group) -> bool:
    """Return whether no row can be added to a group."""
    return group.rows == GROUP_ROWS


def find_index() -> Path:
    """Return the folder of what is known: on this machine, as the files are."""
    return find_data() / TABLES / INDEX


def _check(content: bytes) -> bytes:
    return hashlib.sha256(content).hexdigest().encode()


def _folder() -> LocalFolder:
    return LocalFolder(find_index())


def _name(reading: Reading) -> str:
    return f"{reading.problem}.json"
