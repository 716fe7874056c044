"""What a Parquet file can't do to the service, whatever is in it; what it may hold is in test_invocations."""

import asyncio
import contextlib
import datetime
import random
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ekiben.contract.errors import InvalidInput
from ekiben.contract.validation import validate_rows
from ekiben.load_tests.hostile.parquet_files import (
    attacks,
    bomb,
    constant,
    delta_text,
    element,
    footer,
    repeated_text,
    root,
    to_parquet,
)
from ekiben.model.package import PackedModel
from ekiben.service.errors import BadRequest, CallerGone, DeadlineExceeded
from ekiben.service.lifecycle.resource_limits import MIB, Limits
from ekiben.service.parquet import process
from ekiben.service.parquet.frames import FAULT, PIECE, TABLE, Job
from ekiben.service.parquet.readers import Readers, count_readers, find_memory_bytes
from ekiben.service.protocols.invocations.media import PARQUET
from ekiben.service.protocols.invocations.parquet_form import ParquetReader
from tests.conftest import PATIENCE_S, ROOT, Server, wait_until
from tests.http_client import HTTP
from tests.shop_table import EMPTY, ROW, SCHEMA, arrow_table, same

MAX_ROWS, MAX_BYTES = 20_000, 8 * MIB
DAMAGED = (400, "the Parquet body can't be read: it is damaged")
TOO_LARGE = (413, "the Parquet file unpacks to more than")
TOO_MANY_PARTS = (413, "the Parquet file's footer has more than 50000 parts: send fewer columns and groups")
LONG_FOOTER = (413, "the Parquet file's footer is larger than 2097152 bytes: send fewer columns")
ENCRYPTED = (400, "the Parquet file is encrypted: send it without encryption")
SAID = {
    "a billion rows": (413, "1000000000 rows are more than 20000"),
    "a string in a dictionary": TOO_LARGE,
    "a shorter text in a dictionary": TOO_LARGE,
    "a string of 2 KB in a dictionary": TOO_LARGE,
    "a string by prefixes": TOO_LARGE,
    "a packed page of 2 GB": TOO_LARGE,
    "a nested footer": LONG_FOOTER,
    "many columns": TOO_MANY_PARTS,
    "many row groups": LONG_FOOTER,
    "an encrypted footer": ENCRYPTED,
    "encrypted": ENCRYPTED,
}
ATTACKS = attacks()
REJECTED = [name for name in ATTACKS if name not in ("no columns", "many small row groups")]
GOOD = to_parquet(arrow_table())


def check_count(rows: int) -> None:
    if rows > MAX_ROWS:
        raise BadRequest(413, f"{rows} rows are more than {MAX_ROWS}")


class Caller:
    """Reads bodies one after the other, as one event loop of the service does."""

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._runner = asyncio.Runner()
        self._reader = self._runner.run(self._start(max_bytes))

    async def _start(self, max_bytes: int) -> ParquetReader:
        return ParquetReader(SCHEMA, MAX_ROWS, max_bytes, check_count)

    def read(self, body: bytes, timeout_s: float = 30) -> list[Any]:
        rows, _ = self._runner.run(self._reader.read(body, timeout_s))
        return rows.to_rows()

    def rest(self, seconds: float) -> None:
        self._runner.run(asyncio.sleep(seconds))

    def close(self) -> None:
        self._runner.run(self._stop())
        self._runner.close()

    async def _stop(self) -> None:
        self._reader.close()


@pytest.fixture(scope="module")
def caller() -> Iterator[Caller]:
    with contextlib.closing(Caller()) as one:
        yield one


def find_readers(parent: int | None = None) -> list[psutil.Process]:
    """The processes that read Parquet, below that process."""
    return [one for one in psutil.Process(parent).children(recursive=True) if is_reader(one)]


def is_reader(one: psutil.Process) -> bool:
    try:
        return one.status() != psutil.STATUS_ZOMBIE and process.COMMAND[-1] in one.cmdline()
    except psutil.NoSuchProcess:  # it has ended since
        return False


def is_good(caller: Caller) -> bool:
    return same(caller.read(GOOD), [ROW, EMPTY])


# --- attacks


@pytest.mark.parametrize("name", REJECTED)
def test_an_attack_gets_one_sentence_and_harms_nobody(caller: Caller, name: str) -> None:
    status, sentence = SAID.get(name, DAMAGED)
    with pytest.raises(BadRequest) as rejected:
        caller.read(ATTACKS[name])
    assert (rejected.value.status, sentence in str(rejected.value)) == (status, True), rejected.value
    assert is_good(caller)


@pytest.mark.parametrize("first", range(4))
def test_no_rejected_file_costs_a_process(first: int) -> None:
    """A few at a time: a process that has grown by 16 MiB is not kept, whatever it was that it read."""
    others = set(find_readers())  # of the tests before this one
    with contextlib.closing(Caller()) as caller:
        assert is_good(caller)
        before = set(find_readers()) - others
        for name in REJECTED[first::4]:
            with contextlib.suppress(BadRequest):
                caller.read(ATTACKS[name])
        assert before
        assert before <= set(find_readers())


def test_a_reader_has_only_the_memory_it_may_have(caller: Caller) -> None:
    assert is_good(caller)
    (reader,) = find_readers()
    assert reader.rlimit(psutil.RLIMIT_AS)[0] - reader.memory_info().vms <= 48 * MIB


def test_a_file_cut_off_anywhere_is_damaged(caller: Caller) -> None:
    for length in range(0, len(GOOD) - 4, 3):
        for body in (GOOD[:length], GOOD[:length] + b"PAR1", GOOD[: min(length, len(GOOD) - 9)] + GOOD[-8:]):
            with pytest.raises(BadRequest) as rejected:
                caller.read(body)
            assert rejected.value.status == 400


@pytest.mark.parametrize("compression", ["snappy", "gzip", "none"])
def test_a_file_with_wrong_bits_is_read_or_rejected(caller: Caller, compression: str) -> None:
    generator = random.Random(compression)
    good = to_parquet(arrow_table(), compression=compression)
    for _ in range(100):
        damaged = bytearray(good)
        for _ in range(generator.randint(1, 4)):
            damaged[generator.randrange(4, len(good) - 8)] ^= 1 << generator.randrange(8)
        with contextlib.suppress(BadRequest, InvalidInput):
            validate_rows(SCHEMA, caller.read(bytes(damaged)))
    assert is_good(caller)


# --- what is read


def damage_column(body: bytes, name: str) -> bytes:
    """Overwrite a column's values."""
    metadata = pq.read_metadata(pa.BufferReader(body)).row_group(0)
    column = next(
        metadata.column(index) for index in range(metadata.num_columns) if metadata.column(index).path_in_schema == name
    )
    start = column.dictionary_page_offset or column.data_page_offset
    return body[:start] + b"\xff" * column.total_compressed_size + body[start + column.total_compressed_size :]


def test_only_the_schemas_columns_are_read(caller: Caller) -> None:
    body = to_parquet(arrow_table(__index_level_0__=pa.array(["a", "b"]), sise=pa.array([1, 2])))
    assert same(caller.read(damage_column(body, "__index_level_0__")), [ROW, EMPTY])
    assert same(caller.read(damage_column(body, "sise")), [ROW, EMPTY])
    with pytest.raises(BadRequest, match="it is damaged"):
        caller.read(damage_column(body, "size"))


def test_rows_may_be_in_groups_and_pages_of_any_size(caller: Caller) -> None:
    table = pa.concat_tables([arrow_table()] * 500)
    for options in ({"row_group_size": 7}, {"data_page_size": 64, "write_batch_size": 8}, {"data_page_version": "2.0"}):
        assert same(caller.read(to_parquet(table, **options)), [ROW, EMPTY] * 500)


def test_values_stay_in_their_rows(caller: Caller) -> None:
    generator = np.random.default_rng()
    sizes, colours = generator.random(5000), generator.integers(0, 10**9, 5000).astype(str)
    rows = caller.read(to_parquet(pa.table({"size": sizes, "colour": colours}), row_group_size=1234))
    assert [(row["size"], row["colour"]) for row in rows] == list(zip(sizes, colours, strict=True))


def test_old_writers_timestamps_are_read(caller: Caller) -> None:
    moments = pa.array([datetime.datetime(2013, 7, 4, 10), None], pa.timestamp("ns"))
    body = to_parquet(arrow_table(seen=moments), use_deprecated_int96_timestamps=True, store_schema=False)
    assert caller.read(body)[0]["seen"] == "2013-07-04T10:00:00"


def test_a_column_of_nulls_alone_is_read(caller: Caller) -> None:
    rows = caller.read(to_parquet(arrow_table(size=pa.nulls(2), colour=pa.nulls(2))))
    assert same(rows, [ROW | {"size": None, "colour": None}, EMPTY])


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_a_duration_is_no_number(caller: Caller, unit: str) -> None:
    durations = pa.array([datetime.timedelta(hours=1), None], pa.duration(unit))
    with pytest.raises(InvalidInput, match="`size`: expected a number, got '1:00:00'"):
        validate_rows(SCHEMA, caller.read(to_parquet(arrow_table(size=durations))))


def test_a_table_without_rows_or_columns_is_left_to_the_checks(caller: Caller) -> None:
    assert caller.read(to_parquet(arrow_table().slice(0, 0))) == []
    assert caller.read(ATTACKS["no columns"]) == []
    rows = caller.read(to_parquet(arrow_table().select(["size"])))
    with pytest.raises(InvalidInput, match="`shelf`: missing"):
        validate_rows(SCHEMA, rows)


def test_a_row_may_be_long_but_not_endless(caller: Caller) -> None:
    text = "x" * 100_000
    assert caller.read(to_parquet(pa.table({"colour": [text] * 60})))[59] == {"colour": text}
    with pytest.raises(
        BadRequest, match="a row of the Parquet file takes more than 1048576 bytes: shorten its strings"
    ):
        caller.read(to_parquet(pa.table({"colour": [text * 11]}), compression="none"))


# --- the processes


def test_a_reader_is_kept_and_ends_when_nobody_needs_it(caller: Caller) -> None:
    assert is_good(caller)
    first = find_readers()
    assert is_good(caller)
    assert find_readers() == first
    assert len(first) == 1
    first[0].kill()
    first[0].wait()
    assert is_good(caller)  # one that was ended by something else is replaced
    wait_until(lambda: caller.rest(0.1) is None and not find_readers())
    assert is_good(caller)


def replace_reader(monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    monkeypatch.setattr(process, "COMMAND", (sys.executable, "-c", code, process.COMMAND[-1]))


def test_a_reader_that_dies_costs_its_request(monkeypatch: pytest.MonkeyPatch) -> None:
    with contextlib.closing(Caller()) as caller:
        with monkeypatch.context() as patched:
            replace_reader(patched, "import os; os.read(0, 9); os.abort()")
            with pytest.raises(BadRequest, match="can't be read: it is damaged or too large once unpacked"):
                caller.read(GOOD)
        assert is_good(caller)


def test_a_reader_that_can_not_start_is_503(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "COMMAND", ("/nowhere", ""))
    with contextlib.closing(Caller()) as caller, pytest.raises(BadRequest, match="can't be read now") as rejected:
        caller.read(GOOD)
    assert rejected.value.status == 503


def test_a_deadline_is_kept_and_leaves_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    before = find_readers()
    replace_reader(monkeypatch, "import time; time.sleep(600)")
    with contextlib.closing(Caller()) as caller, pytest.raises(DeadlineExceeded):
        caller.read(GOOD, 0.3)
    wait_until(lambda: find_readers() == before)


def test_a_reader_ends_by_itself_at_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Even when the service doesn't end it: its event loop may be busy."""
    monkeypatch.setattr(process, "SLACK_S", 0.0)
    table = to_parquet(pa.table({"size": np.random.default_rng(0).random(MAX_ROWS)}))

    async def read() -> None:
        readers = Readers(Job(SCHEMA.names, MAX_ROWS, MAX_BYTES, 64 * MIB), 1)
        with pytest.raises(process.ReaderDied):
            async with readers.lend() as reader:
                assert [frame async for frame in reader.read(table, 0.001)]

    asyncio.run(read())


@pytest.mark.parametrize(("length", "kinds"), [(10, [TABLE, PIECE]), (500, [FAULT])])
def test_the_service_gets_no_rows_of_a_file_that_is_too_large(length: int, kinds: list[int]) -> None:
    async def read() -> list[int]:
        with contextlib.closing(Readers(Job(SCHEMA.names, MAX_ROWS, MAX_BYTES, 64 * MIB), 1)) as readers:
            async with readers.lend() as reader:
                return [kind async for kind, _ in reader.read(repeated_text(MAX_ROWS, length, "colour"), 30)]

    assert list(dict.fromkeys(asyncio.run(read()))) == kinds


def test_who_leaves_makes_room_in_the_queue() -> None:
    async def leave() -> None:
        return None

    async def queue() -> None:
        with contextlib.closing(Readers(Job(SCHEMA.names, MAX_ROWS, MAX_BYTES, 64 * MIB), 1)) as readers:
            async with readers.lend():
                with pytest.raises(CallerGone):
                    async with readers.lend(leave):
                        pass
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.05), readers.lend(asyncio.Event().wait):  # type: ignore[arg-type]
                        pass
            async with readers.lend(leave), asyncio.timeout(30):
                pass

    asyncio.run(queue())


STARTS_ONE = """
import asyncio
from ekiben.service.parquet.frames import Job
from ekiben.service.parquet.process import ReaderProcess

async def main():
    reader = await ReaderProcess.start(Job(("size",), 10, 10**6, 10**8))
    print(reader.pid, flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""


def test_a_reader_ends_with_the_service() -> None:
    with subprocess.Popen([sys.executable, "-c", STARTS_ONE], cwd=ROOT, stdout=subprocess.PIPE, text=True) as service:
        assert service.stdout is not None
        reader = int(service.stdout.readline())
        assert psutil.pid_exists(reader)
        service.kill()
        wait_until(lambda: not psutil.pid_exists(reader) or psutil.Process(reader).status() == psutil.STATUS_ZOMBIE)


def test_readers_fit_their_container() -> None:
    gib = 1024 * MIB
    assert find_memory_bytes(Limits(), 1, 8 * MIB) == 48 * MIB
    assert find_memory_bytes(Limits(memory_bytes=640 * MIB), 1, 8 * MIB) == 48 * MIB
    assert find_memory_bytes(Limits(memory_bytes=256 * MIB), 1, 8 * MIB) == 32 * MIB
    assert find_memory_bytes(Limits(), 1, 4 * gib) == gib
    assert count_readers(Limits(4.0, 640 * MIB), 1) == 1
    assert count_readers(Limits(2.0, 4 * gib), 1) == 1
    assert count_readers(Limits(4.0, 4 * gib), 1) == 2
    assert count_readers(Limits(4.0, 4 * gib), 2) == 1


# --- the service


def invoke(server: Server, body: bytes, **headers: str) -> httpx.Response:
    return HTTP.post(
        f"{server.url}/invocations", content=body, headers={"content-type": PARQUET} | headers, timeout=PATIENCE_S
    )


def measure_memory(server: Server) -> int:
    """Resident bytes of the service and all its processes."""
    family = [psutil.Process(server.process.pid)]
    family += family[0].children(recursive=True)
    sizes = []
    for one in family:
        with contextlib.suppress(psutil.NoSuchProcess):
            sizes.append(one.memory_info().rss)
    return sum(sizes)


@pytest.fixture
def row(model: PackedModel) -> dict[str, Any]:
    return dict(model.schema.example)


@pytest.mark.slow
def test_attacks_at_once_leave_the_service_as_it_was(server: Server, row: dict[str, Any]) -> None:
    bodies = [constant(10**9), repeated_text(20_000, 1_000_000, "carrier"), delta_text(20_000, 100_000, b"carrier")]
    bodies += [bomb("gzip", 200_000_000), bomb("zstd", 200_000_000), ATTACKS["many columns"]]
    for body in bodies:
        invoke(server, body)
    wait_until(lambda: not find_readers(server.process.pid))
    before = measure_memory(server)
    with ThreadPoolExecutor(20) as pool:
        asked = [pool.submit(invoke, server, body) for body in bodies * 4]
        while not all(one.done() for one in asked):
            assert HTTP.post(f"{server.url}/predict", json={"rows": [row]}).status_code == 200
    for answered in (one.result() for one in asked):
        assert answered.status_code in (400, 413), answered.text
        assert set(answered.json()) == {"error", "error_code", "message"}
    wait_until(lambda: measure_memory(server) <= 1.05 * before)


@pytest.mark.slow
def test_a_deadline_is_504(server: Server) -> None:
    table = to_parquet(pa.table({"carrier": np.random.default_rng(0).random(20_000).astype(str)}))
    with ThreadPoolExecutor(20) as pool:
        asked = [pool.submit(invoke, server, table, **{"x-request-timeout-ms": "50"}) for _ in range(20)]
    assert {one.result().status_code for one in asked} <= {400, 504}  # 400: its other columns are missing
    assert 504 in {one.result().status_code for one in asked}
    assert invoke(server, b"PAR1" + footer([root(1), element()], 0, []) + b"PAR1").status_code == 400
