"""A query in a database that SQLAlchemy knows, streamed."""

import pickle
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
import sqlalchemy
from sqlalchemy.engine import URL, CursorResult
from sqlalchemy.exc import DBAPIError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from ekiben.contract.errors import InvalidTable
from ekiben.training.redaction import redact
from ekiben.training.source_config import SqlSource
from ekiben.training.sources.source import check_asked, check_columns
from ekiben.training.sources.sql.address import read_url
from ekiben.training.sources.sql.values import choose_type, find_kinds, simplify, to_array

_BATCH_ROWS = 10_000
_CONNECT_TIMEOUT_S = 5
_TIMED_DRIVERS = {"psycopg", "psycopg2", "pymysql", "mysqldb"}  # those that know `connect_timeout`


@dataclass(frozen=True)
class DatabaseQuery:
    """The rows of one query, which only reads."""

    url: URL
    query: str
    columns: tuple[str, ...] = ()
    typed = True
    notes = ()

    @classmethod
    def open(cls, source: SqlSource) -> "DatabaseQuery":
        """Run the query as far as to know its columns; raise InvalidTable if that is impossible."""
        asked = cls(read_url(source.url), source.query.strip().rstrip(";"))
        _check_sqlite(asked.url)
        with asked._run(asked.query) as result:
            names = list(result.keys())
        return cls(asked.url, asked.query, check_columns(f"the query on {asked.description}", names))

    @property
    def description(self) -> str:
        """The URL without password and options."""
        shown = URL.create(
            self.url.drivername, self.url.username, None, self.url.host, self.url.port, self.url.database
        )
        return shown.render_as_string()

    @cached_property
    def rows(self) -> int | None:
        """The number of rows, counted by the database; None if it can't count them."""
        try:
            with self._run(f"SELECT count(*) FROM (\n{self.query}\n) AS counted") as result:
                return int(result.scalar_one())
        except InvalidTable:
            return None

    def batches(self, columns: Sequence[str], report: Callable[[float], None]) -> Iterator[pa.RecordBatch]:
        """Read all rows, then yield them: the last one may be the first that says a column's type.

        Until then they wait in a temporary file.
        """
        check_asked(self, columns)
        indices = [self.columns.index(name) for name in columns]
        kinds: list[set[str]] = [set() for _ in columns]
        with tempfile.TemporaryFile() as waiting:
            for share, chunk in self._fetch(indices):
                for seen, values in zip(kinds, chunk, strict=True):
                    seen |= find_kinds(values)
                pickle.dump(chunk, waiting)
                report(share)
            waiting.seek(0)
            schema = pa.schema(list(zip(columns, map(choose_type, kinds), strict=True)))
            for chunk in _load(waiting):
                yield self._to_batch(chunk, schema)
        report(1.0)

    def _fetch(self, indices: Sequence[int]) -> Iterator[tuple[float, list[Sequence[Any]]]]:
        """Yield the values of each column at these places, and the share of the rows that were read."""
        done, total = 0, self.rows
        with self._run(self.query) as result:
            for rows in result.partitions(_BATCH_ROWS):
                done += len(rows)
                columns = list(zip(*rows, strict=True))
                chunk = [simplify(columns[index]) for index in indices]
                yield min(1.0, done / total) if total else 0.0, chunk

    def _to_batch(self, chunk: list[Sequence[Any]], schema: pa.Schema) -> pa.RecordBatch:
        arrays = []
        for values, field in zip(chunk, schema, strict=True):
            try:
                arrays.append(to_array(values, field.type))
            except (pa.ArrowException, OverflowError, ValueError) as error:
                reason = str(error).splitlines()[0]
                raise InvalidTable(
                    f"{self.description}: `{field.name}` can't be read, cast it in the query: {reason}"
                ) from None
        return pa.RecordBatch.from_arrays(arrays, schema=schema)

    @contextmanager
    def _run(self, query: str) -> Iterator[CursorResult[Any]]:
        """Run a query in a transaction that can't write."""
        with self._as_user_error():
            engine = sqlalchemy.create_engine(self.url, poolclass=NullPool, connect_args=_connect_args(self.url))
            with engine.connect() as connection:
                if engine.dialect.name == "sqlite":
                    connection.exec_driver_sql("PRAGMA query_only = ON")
                # The query as it is, with whatever : and % are in it.
                reading = connection.execution_options(
                    no_parameters=True, yield_per=_BATCH_ROWS, postgresql_readonly=True
                )
                with reading.exec_driver_sql(query) as result:
                    if not result.returns_rows:
                        raise InvalidTable(f"the query on {self.description} returns no rows: it must be one SELECT")
                    yield result

    @contextmanager
    def _as_user_error(self) -> Iterator[None]:
        """Turn what SQLAlchemy and the driver say into InvalidTable, without any password."""
        try:
            yield
        except NoSuchModuleError:
            known = "e.g. postgresql://user@host/database or sqlite:///shop.db"
            raise InvalidTable(f"`{self.url.drivername}` is not a database that SQLAlchemy knows: {known}") from None
        except ImportError as error:
            raise InvalidTable(
                f"{self.description} needs the Python module {error.name}, which is not installed"
            ) from None
        except SQLAlchemyError as error:
            said = error.orig if isinstance(error, DBAPIError) else error
            reason = next((line.strip() for line in str(said).splitlines() if line.strip()), type(said).__name__)
            raise InvalidTable(
                f"{self.description}: {redact(reason, self.url.render_as_string(hide_password=False))}"
            ) from None


def _load(file: IO[bytes]) -> Iterator[list[Sequence[Any]]]:
    while True:
        try:
            yield pickle.load(file)
        except EOFError:
            return


def _connect_args(url: URL) -> dict[str, Any]:
    is_timed = url.get_driver_name() in _TIMED_DRIVERS and "connect_timeout" not in url.query
    return {"connect_timeout": _CONNECT_TIMEOUT_S} if is_timed else {}


def _check_sqlite(url: URL) -> None:
    """Raise InvalidTable if there is no such file: SQLite would make an empty one."""
    if url.get_backend_name() == "sqlite" and not Path(url.database or "").is_file():
        raise InvalidTable(f"there is no SQLite file {url.database or 'in the URL: write sqlite:///shop.db'}")
