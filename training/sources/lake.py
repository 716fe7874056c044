"""Delta and Iceberg tables: a folder with a log that says which files are the table, now or at another time."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import dataset

from ekiben.contract.errors import InvalidTable
from ekiben.training.source_config import FileSource
from ekiben.training.sources.duck import quote_name
from ekiben.training.sources.extra import import_extra
from ekiben.training.sources.files import readable
from ekiben.training.sources.simple_types import cast, simplify_schema
from ekiben.training.sources.source import BATCH_ROWS, check_asked, check_columns

_DELTA_LOG, _ICEBERG_LOG = "_delta_log", "metadata"


@dataclass(frozen=True)
class LakeVersion:
    """A version of a Delta table, or a snapshot of an Iceberg table."""

    path: Path
    version: int


@dataclass(frozen=True)
class LakeTable:
    """One version of a table, which stays as it is while others are written."""

    path: Path
    version: int
    schema: pa.Schema
    rows: int | None
    notes: tuple[str, ...]
    scan: Callable[[list[str]], Iterable[pa.RecordBatch]]
    files: tuple[Path, ...] = ()  # of the rows in their order, where that is known
    typed = True

    @classmethod
    def open(cls, source: FileSource) -> "LakeTable":
        """Read the log as far as to know the version that is meant; raise InvalidTable if it is not there."""
        with _sound(source.path):
            opened = (_open_delta if is_delta(source.path) else _open_iceberg)(source)
        check_columns(str(source.path), opened.schema.names)
        return opened

    @property
    def description(self) -> str:
        return str(self.path)

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(self.schema.names)

    def batches(self, columns: Sequence[str], report: Callable[[float], None]) -> Iterator[pa.RecordBatch]:
        """Stream the columns, file by file as the log has them."""
        check_asked(self, columns)
        schema = pa.schema([self.schema.field(name) for name in columns])
        done = 0
        with _sound(self.path):
            for batch in filter(len, self.scan(list(columns))):
                done += len(batch)
                report(min(1.0, done / self.rows) if self.rows else 0.0)
                arrays = [cast(batch.column(field.name), field.type) for field in schema]
                yield pa.record_batch(arrays, schema=schema)
        report(1.0)


def is_lake(path: Path) -> bool:
    """Return whether this is the folder of a Delta or Iceberg table."""
    return is_delta(path) or bool(_list_metadata(path))


def is_delta(path: Path) -> bool:
    """Return whether this is the folder of a Delta table."""
    return (path / _DELTA_LOG).is_dir()


def _open_delta(source: FileSource) -> LakeTable:
    delta = import_extra("deltalake", f"{source.path}, a Delta table,")
    table = delta.DeltaTable(str(source.path))
    if source.version is not None:
        if not 0 <= source.version <= table.version():
            raise InvalidTable(f"{source.path} has no version {source.version}: the newest is {table.version()}")
        table.load_as_version(source.version)
    if source.as_of:
        moment = _in_utc(source.as_of)
        table.load_as_version(moment)
        if table.history(1)[0]["timestamp"] > moment.timestamp() * 1000:  # it takes the first version
            raise InvalidTable(f"{source.path} was not there yet at {moment:%Y-%m-%d %H:%M} UTC")
    notes = (f"read: version {table.version()} of the Delta table",)
    try:
        files = _put_oldest_first(table.to_pyarrow_dataset())
    except (
        delta.exceptions.DeltaProtocolError
    ):  # rows that are marked as deleted, or columns of other names in the files
        schema = simplify_schema(pa.schema(table.schema().to_arrow()))
        return LakeTable(source.path, table.version(), schema, None, notes, partial(_query_delta, delta, table))
    scan = partial(files.to_batches, batch_size=BATCH_ROWS, batch_readahead=2, fragment_readahead=1)
    paths = tuple(source.path / each.path for each in files.get_fragments())
    return LakeTable(
        source.path, table.version(), simplify_schema(files.schema), files.count_rows(), notes, scan, paths
    )


def _put_oldest_first(table: dataset.FileSystemDataset) -> dataset.FileSystemDataset:
    """Return the files of a Delta table, which come newest first, so that what is appended comes last."""
    files = [*table.get_fragments()][::-1]
    return dataset.FileSystemDataset(files, table.schema, table.format, table.filesystem) if files else table


def _query_delta(delta: Any, table: Any, columns: list[str]) -> Iterable[pa.RecordBatch]:
    """Read by deltalake's own engine, in one thread: the rows then always come in one order."""
    query = delta.QueryBuilder({"datafusion.execution.target_partitions": "1"}).register("rows", table)
    return pa.RecordBatchReader.from_stream(query.execute(f"SELECT {', '.join(map(quote_name, columns))} FROM rows"))


def _open_iceberg(source: FileSource) -> LakeTable:
    tables = import_extra("pyiceberg.table", f"{source.path}, an Iceberg table,")
    table = tables.StaticTable.from_metadata(str(_list_metadata(source.path)[-1]))
    snapshot = table.current_snapshot()
    if source.as_of:
        snapshot = table.snapshot_as_of_timestamp(int(_in_utc(source.as_of).timestamp() * 1000))
    elif source.version is not None:
        snapshot = table.snapshot_by_id(source.version)
    if snapshot is None:
        known = ", ".join(str(each.snapshot_id) for each in table.snapshots()) or "none"
        raise InvalidTable(f"{source.path} has no such snapshot; it has: {known}")
    reads = partial(_scan_iceberg, table, snapshot.snapshot_id)
    schema = simplify_schema(table.scan(snapshot_id=snapshot.snapshot_id).projection().as_arrow())
    counted = (snapshot.summary or {}).get("total-records") if snapshot.summary else None
    notes = (f"read: snapshot {snapshot.snapshot_id} of the Iceberg table",)
    return LakeTable(source.path, snapshot.snapshot_id, schema, int(counted) if counted else None, notes, reads)


def _scan_iceberg(table: Any, snapshot: int, columns: list[str]) -> Iterable[pa.RecordBatch]:
    scan = table.scan(selected_fields=tuple(columns), snapshot_id=snapshot)
    return scan.to_arrow_batch_reader()


def _list_metadata(path: Path) -> list[Path]:
    """Return an Iceberg table's metadata files, the newest last: 00002-….metadata.json or v2.metadata.json."""
    found = (path / _ICEBERG_LOG).glob("*.metadata.json")
    return sorted(found, key=lambda each: (int((re.search(r"\d+", each.name) or ["0"])[0]), each.stat().st_mtime))


def _in_utc(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


@contextmanager
def _sound(path: Path) -> Iterator[None]:
    """Turn what the table's library says into InvalidTable."""
    with readable(path):
        try:
            yield
        except (InvalidTable, GeneratorExit):
            raise
        except Exception as error:  # deltalake and pyiceberg raise dozens of kinds, also from Rust
            said = (str(error).splitlines() or [type(error).__name__])[0]
            raise InvalidTable(f"{path} can't be read: {said}") from None
