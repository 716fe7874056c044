"""Where a table comes from: a file, a folder, a data lake, a query in a database, or one of ours."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ekiben.contract.errors import InvalidTable
from ekiben.contract.faults import find_fault
from ekiben.contract.validation import show
from ekiben.training.redaction import redact_uri
from ekiben.training.source_config import BuiltInSource, FileSource, SqlSource
from ekiben.training.sources.built_in import BuiltInTable
from ekiben.training.sources.csv.delimited import DelimitedFile
from ekiben.training.sources.csv.dialect import find_csv_format
from ekiben.training.sources.csv.parser import BACKSLASH
from ekiben.training.sources.files import check_file, is_json, is_parquet, is_spreadsheet
from ekiben.training.sources.json_records import JsonRecords
from ekiben.training.sources.lake import LakeTable, is_lake
from ekiben.training.sources.parquet.parquet import ParquetFiles
from ekiben.training.sources.sheet import Sheet
from ekiben.training.sources.source import MAX_COLUMNS, Source, check_asked, describe_absent
from ekiben.training.sources.sql.address import PASSWORD_VARIABLE, hide_password, is_url
from ekiben.training.sources.sql.database import DatabaseQuery

__all__ = [
    "MAX_COLUMNS",
    "NOTHING",
    "PASSWORD_VARIABLE",
    "Source",
    "check_asked",
    "describe_absent",
    "find_source",
    "open_source",
]

NOTHING: Mapping[str, Any] = {}
_CSV, _SPREADSHEET, _LAKE, _PARQUET, _JSON = (
    "a CSV file",
    "a spreadsheet",
    "a Delta or Iceberg table",
    "Parquet",
    "JSON",
)
_ABOUT: Mapping[str, tuple[str, ...]] = {  # which tables an option is about
    **dict.fromkeys(("delimiter", "encoding", "decimal", "quote", "escape"), (_CSV,)),
    "null": (_CSV, _SPREADSHEET, _LAKE, _PARQUET, _JSON),
    "sheet": (_SPREADSHEET,),
    **dict.fromkeys(("version", "as_of"), (_LAKE,)),
}
_EXAMPLES = {"version": "a whole number, such as 7", "as_of": "a moment, such as 2026-01-31T12:00"}
_OPTIONS = {"version": "table-version", "as_of": "as-of"}  # where they are called otherwise on the command line
_REMOTE = ("http://", "https://", "ftp://", "s3://", "gs://", "abfs://", "hdfs://")


def open_source(source: BuiltInSource | FileSource | SqlSource) -> Source:
    """Open what a problem file names, as far as to know its columns.

    Raise InvalidTable if that is impossible; what is only found on the way, `batches` raises.
    """
    if isinstance(source, BuiltInSource):
        return BuiltInTable(source.loader)
    if isinstance(source, SqlSource):
        return DatabaseQuery.open(source)
    return _open_file(source, _find_kind(source.path))


def find_source(table: str, query: str | None, spelling: Mapping[str, Any] = NOTHING) -> FileSource | SqlSource:
    """Describe a table named on the command line: a path, a database's URL, or `$NAME` that holds one.

    How a CSV file is written is found out and filled in, except for what `spelling` says of it; it may also say the
    decimal mark and the markers of missing of all columns, and which sheet or version is meant. A password in the URL
    is taken out, since what is returned is written to a file: `${DATABASE_PASSWORD}` stands in its place, and this
    process's environment gets that variable, so that `open_source` works at once. Raise
    InvalidTable if there is no such file, or if a URL has no query.
    """
    if table.startswith(_REMOTE):
        raise InvalidTable(f"{redact_uri(table)} is on another machine: download it first, and give the file's path")
    if is_url(table):
        if not query:
            raise InvalidTable('a database URL needs a query: add --query "SELECT …"')
        _reject_others(spelling, "", "a database's URL")
        return SqlSource(url=hide_password(table), query=query)
    if query:
        raise InvalidTable(
            f"{redact_uri(table)} is a path, and --query goes with a database URL, e.g. sqlite:///shop.db"
        )
    source = _describe(table, spelling)
    kind = _find_kind(source.path)
    _reject_others(spelling, kind, f"{source.path}, which is {kind}")
    if kind != _CSV:
        return source
    found = find_csv_format(source)
    written: dict[str, Any] = {**spelling, "delimiter": found.delimiter, "encoding": found.encoding}
    written |= {"quote": source.quote} if found.trusts_quotes else {}
    written |= {"escape": found.quoting.escape} if found.quoting == BACKSLASH else {}
    return FileSource.model_validate({"path": source.path, **written})


def _find_kind(path: Path) -> str:
    """Return what a file or folder holds, by its first bytes or its name; raise InvalidTable if it is not there."""
    check_file(path)
    if path.is_dir():
        return _LAKE if is_lake(path) else _PARQUET
    if is_spreadsheet(path):
        return _SPREADSHEET
    if is_parquet(path):
        return _PARQUET
    return _JSON if is_json(path) else _CSV


def _open_file(source: FileSource, kind: str) -> Source:
    if kind == _LAKE:
        return LakeTable.open(source)
    if kind == _SPREADSHEET:
        return Sheet.open(source)
    if kind == _PARQUET:
        return ParquetFiles.open(source.path)
    return JsonRecords.open(source.path) if kind == _JSON else DelimitedFile.open(source)


def _describe(table: str, spelling: Mapping[str, Any]) -> FileSource:
    try:
        return FileSource.model_validate({"path": table, **spelling})
    except ValidationError as error:
        place, message = find_fault(error)
        name = place[0] if place else "as_of"
        if name in _EXAMPLES and name in spelling and error.errors()[0]["type"] != "value_error":
            given = f"--{_OPTIONS[name]}: {show(str(spelling[name]))} can't be read"
            raise InvalidTable(f"{given}: write {_EXAMPLES[name]}") from None
        raise InvalidTable(f"--{_OPTIONS.get(name, name)}: {message}") from None


def _reject_others(spelling: Mapping[str, Any], kind: str, table: str) -> None:
    """Raise InvalidTable if an option is about tables of another kind."""
    other = next((name for name in spelling if kind not in _ABOUT[name]), None)
    if other:
        (about, *more) = _ABOUT[other]
        says = "how a file is written" if more else f"what of {about} is read"
        says = "how a CSV file is written" if _ABOUT[other] == (_CSV,) else says
        raise InvalidTable(f"--{_OPTIONS.get(other, other)} says {says}, and not {table}: leave it out")
