"""Where a table comes from: a CSV file, Parquet, a query in a database, or one of ours."""

from collections.abc import Mapping
from typing import Any

from ekiben.contract.errors import InvalidTable
from ekiben.training.problem import BuiltInSource, FileSource, SqlSource
from ekiben.training.redaction import redact_uri
from ekiben.training.sources.address import PASSWORD_VARIABLE, hide_password, is_url
from ekiben.training.sources.built_in import BuiltInTable
from ekiben.training.sources.database import DatabaseQuery
from ekiben.training.sources.delimited import DelimitedFile
from ekiben.training.sources.dialect import find_csv_format
from ekiben.training.sources.files import check_file, is_parquet
from ekiben.training.sources.parquet import ParquetFiles
from ekiben.training.sources.source import MAX_COLUMNS, Source, check_asked, describe_absent

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
_REMOTE = ("http://", "https://", "ftp://", "s3://", "gs://", "abfs://", "hdfs://")


def open_source(source: BuiltInSource | FileSource | SqlSource) -> Source:
    """Open what a problem file names, as far as to know its columns.

    Raise InvalidTable if that is impossible; what is only found on the way, `batches` raises.
    """
    if isinstance(source, BuiltInSource):
        return BuiltInTable(source.loader)
    if isinstance(source, SqlSource):
        return DatabaseQuery.open(source)
    check_file(source.path)
    return ParquetFiles.open(source.path) if is_parquet(source.path) else DelimitedFile.open(source)


def find_source(table: str, query: str | None, spelling: Mapping[str, Any] = NOTHING) -> FileSource | SqlSource:
    """Describe a table named on the command line: a path, a database's URL, or `$NAME` that holds one.

    How a CSV file is written is found out and filled in, except for what `spelling` says of its delimiter and
    encoding; it may also say the decimal mark and the markers of missing of all columns. A password in the URL
    is taken out, since what is returned is written to a file: `${DATABASE_PASSWORD}` stands in its place, and this
    process's environment gets that variable, so that `open_source` works at once. Raise
    InvalidTable if there is no such file, or if a URL has no query.
    """
    if table.startswith(_REMOTE):
        raise InvalidTable(f"{redact_uri(table)} is on another machine: download it first, and give the file's path")
    if is_url(table):
        if not query:
            raise InvalidTable('a database URL needs a query: add --query "SELECT …"')
        _reject_spelling(spelling, "a database's URL")
        return SqlSource(url=hide_password(table), query=query)
    if query:
        raise InvalidTable(
            f"{redact_uri(table)} is a path, and --query goes with a database URL, e.g. sqlite:///shop.db"
        )
    source = FileSource.model_validate({"path": table, **spelling})
    check_file(source.path)
    if is_parquet(source.path):
        _reject_spelling(spelling, f"{source.path}, which is Parquet")
        return source
    found = find_csv_format(source)
    return FileSource.model_validate(
        {**spelling, "path": table, "delimiter": found.delimiter, "encoding": found.encoding}
    )


def _reject_spelling(spelling: Mapping[str, Any], table: str) -> None:
    if spelling:
        raise InvalidTable(f"--{next(iter(spelling))} says how a CSV file is written, and not {table}: leave it out")
