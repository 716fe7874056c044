"""Tables from a real PostgreSQL that asks for a password."""

import socket
import time
import traceback
from collections.abc import Iterator
from datetime import UTC, date, datetime
from urllib.parse import quote

import psycopg
import pyarrow as pa
import pytest

from ekiben.contract.errors import InvalidTable
from ekiben.training.source_config import SqlSource
from ekiben.training.sources import PASSWORD_VARIABLE, Source, find_source, open_source
from tests.postgres import NEEDS_POSTGRES, running_postgres

PASSWORD = "g@heim:/%$x"
ROWS = 25_000

pytestmark = NEEDS_POSTGRES


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Host and port of a server with a table of every usual type."""
    with running_postgres("ann", PASSWORD) as address:
        host, port = address.split(":")
        with psycopg.connect(host=host, port=port, user="ann", password=PASSWORD, dbname="postgres") as connection:
            connection.execute(
                "CREATE TABLE sales AS SELECT n AS id, n::smallint AS small, n / 2.0 AS price, n::real AS weight,"
                " n % 2 = 0 AS paid, 'town ' || n AS town, date '2024-01-01' + n % 365 AS day,"
                " timestamp '2024-01-01 12:00' + n * interval '1 s' AS at,"
                " timestamptz '2024-01-01 12:00+02' AS seen, CASE WHEN n > 20000 THEN n END AS late,"
                " gen_random_uuid() AS token, '{\"a\": 1}'::jsonb AS extra, '\\x00ff'::bytea AS raw, NULL AS nothing"
                f" FROM generate_series(1, {ROWS}) AS n"
            )
            connection.execute("CREATE SEQUENCE counter")
        yield address


@pytest.fixture
def url(address: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("PGPASSWORD_OF_ANN", PASSWORD)
    return f"postgresql://ann:$PGPASSWORD_OF_ANN@{address}/postgres"


def read(source: Source, *columns: str) -> pa.Table:
    return pa.Table.from_batches(list(source.batches(columns, lambda share: None)))


def sentence(url: str, query: str = "SELECT 1 AS one") -> str:
    """What is said of a source that can't be read; nowhere, even where nobody looks, stands the password."""
    with pytest.raises(InvalidTable) as rejected:
        list(open_source(SqlSource(url=url, query=query)).batches(["one"], lambda share: None))
    shown = "".join(traceback.format_exception(rejected.value, chain=False))
    for form in (PASSWORD, quote(PASSWORD), quote(PASSWORD, safe="")):
        assert form not in shown
    assert "\n" not in str(rejected.value)
    return str(rejected.value)


def test_every_usual_type_is_kept(url: str) -> None:
    source = open_source(SqlSource(url=url, query="SELECT * FROM sales ORDER BY id;"))
    assert source.typed
    assert source.rows == ROWS
    table = read(source, *source.columns)
    assert dict(zip(table.column_names, table.schema.types, strict=True)) == {
        "id": pa.int64(), "small": pa.int64(), "price": pa.float64(), "weight": pa.float64(), "paid": pa.bool_(),
        "town": pa.string(), "day": pa.date32(), "at": pa.timestamp("us"), "seen": pa.timestamp("us", "UTC"),
        "late": pa.int64(), "token": pa.string(), "extra": pa.string(), "raw": pa.binary(), "nothing": pa.null(),
    }  # fmt: skip
    assert table["late"].null_count == 20_000
    first = table.slice(0, 1).to_pylist()[0]
    assert first["price"] == 0.5
    assert first["day"] == date(2024, 1, 2)
    assert first["at"] == datetime(2024, 1, 1, 12, 0, 1)
    assert first["seen"] == datetime(2024, 1, 1, 10, tzinfo=UTC)
    assert first["raw"] == b"\x00\xff"
    assert table["id"].to_pylist() == list(range(1, ROWS + 1))


def test_the_share_that_was_read_is_reported(url: str) -> None:
    shares: list[float] = []
    list(open_source(SqlSource(url=url, query="SELECT id FROM sales")).batches(["id"], shares.append))
    assert shares == pytest.approx([0.4, 0.8, 1.0, 1.0])


def test_a_query_goes_to_the_database_as_it_is(url: str) -> None:
    query = "SELECT '10:30'::time AS a, '100%' AS b, ':c' AS c WHERE 'x' LIKE '%x' -- and no more"
    assert read(open_source(SqlSource(url=url, query=query)), "c", "b").to_pylist() == [{"c": ":c", "b": "100%"}]


@pytest.mark.parametrize(
    "query",
    [
        "DELETE FROM sales",
        "DELETE FROM sales RETURNING id",
        "WITH gone AS (DELETE FROM sales RETURNING id) SELECT id FROM gone",
        "CREATE TABLE copy AS SELECT 1",
        "SELECT nextval('counter') AS one",
        "SELECT 1 AS one; DELETE FROM sales",
        "DROP TABLE sales",
    ],
)
def test_a_query_that_writes_is_rejected_and_does_not(url: str, query: str) -> None:
    assert "postgresql://ann@127.0.0.1" in sentence(url, query)
    assert open_source(SqlSource(url=url, query="SELECT 1 FROM sales")).rows == ROWS


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("SELECT nothing_such FROM sales", 'column "nothing_such" does not exist'),
        ("SELECT 1 FROM purchases", 'relation "purchases" does not exist'),
        ("SELEC 1", "syntax error"),
        ("SELECT 1 AS a, 2 AS a", "`a` is the name of the 1st and the 2nd column"),
        ("SELECT 1 / (id - 20000) AS one FROM sales", "division by zero"),
        ("SELECT 'infinity'::timestamp AS one", "timestamp too large"),
    ],
)
def test_a_wrong_query_is_one_sentence(url: str, query: str, said: str) -> None:
    assert said in sentence(url, query)


def test_a_wrong_password_is_rejected_and_not_shown(address: str) -> None:
    for wrong in ("Xgeheim", "X%40:geheim"):
        rejected = sentence(f"postgresql://ann:{wrong}@{address}/postgres")
        assert "password authentication failed" in rejected
        assert "geheim" not in rejected


def test_the_password_is_not_shown_where_the_server_repeats_it(url: str) -> None:
    assert "invalid input syntax for type integer" in sentence(url, f"SELECT '{PASSWORD}'::integer AS one")
    assert "invalid input syntax for type integer" in sentence(url, f"SELECT '{quote(PASSWORD)}'::integer AS one")


def test_a_database_that_does_not_exist_is_rejected(url: str) -> None:
    assert 'database "nothing" does not exist' in sentence(url.replace("/postgres", "/nothing"))


def test_a_server_that_never_answers_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        began = time.monotonic()
        rejected = sentence(f"postgresql://ann:{quote(PASSWORD, safe='')}@127.0.0.1:{silent.getsockname()[1]}/postgres")
        assert "timeout" in rejected
        assert time.monotonic() - began < 60  # not the minutes that TCP would wait


def test_what_init_finds_can_be_opened_at_once_and_tells_no_password(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(PASSWORD_VARIABLE, raising=False)
    url = f"postgresql://ann:{quote(PASSWORD, safe='')}@{address}/postgres"
    source = find_source(url, "SELECT id FROM sales")
    assert source == SqlSource(
        url=f"postgresql://ann:${{DATABASE_PASSWORD}}@{address}/postgres", query="SELECT id FROM sales"
    )
    opened = open_source(source)
    assert opened.description == f"postgresql://ann@{address}/postgres"
    assert opened.columns == ("id",)
    monkeypatch.delenv(PASSWORD_VARIABLE)
    with pytest.raises(InvalidTable, match=r"needs \$DATABASE_PASSWORD, which is not set"):
        open_source(source)
