"""Rows are logged as they came, a share of them, in bounded memory, whatever the disk does; answers go on."""

import asyncio
import hashlib
import hmac
import io
import json
import logging
import threading
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from ekiben.contract.columns import Transposer
from ekiben.contract.log_columns import name_features
from ekiben.contract.schema import Schema
from ekiben.load_tests.cost.request_cost import FORMATS
from ekiben.load_tests.requests.request_case import write_case
from ekiben.model.package import PackedModel
from ekiben.service.protocols.protocol import Call
from ekiben.service.row_log import log as module
from ekiben.service.row_log.folder import FolderUnusable, open_folder
from ekiben.service.row_log.kept_rows import Dictionary, Kept, Layout
from ekiben.service.row_log.log import RowLog
from ekiben.service.row_log.logs import open_logs
from ekiben.service.row_log.picking import FEW_ROWS, Picker
from ekiben.service.row_log.row_columns import RowColumns
from ekiben.service.row_log.sampling import Sampler
from ekiben.service.row_log.waiting import Waiting
from ekiben.service.settings import Settings
from ekiben.service.telemetry import metrics
from tests.conftest import run
from tests.fuzz.service import ROW, SCHEMA, TIMEOUT_S, Service
from tests.service.row_log.log_reading import list_rows, read_rows
from tests.waiting import wait_for

EMPTY = dict.fromkeys(ROW) | {"code": "1"}
NEW = {"x": -7, "city with spaces": "never seen", "code": "2", "yes": True, "时间": "1999-12-31T23:59:59+01:00"}
RAW = [ROW, EMPTY, NEW]


class Slow:
    """A folder whose files are written once the gate is open."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.written: list[bytes] = []

    def write(self, name: str, content: bytes) -> None:
        self.gate.wait(60)
        self.written.append(content)


@dataclass
class Requested:
    """A request that was encoded, as far as the log sees it."""

    start: int
    stop: int
    kept: Kept | None = None


def with_log(
    folder: Path | str, scenario: Callable[[Service, RowLog], Awaitable[None]], share: float = 1.0, **settings: Any
) -> None:
    """Run a scenario against a service in this process that logs into a folder."""

    async def main() -> None:
        service = Service()
        chosen = Settings(log_sample=share, log_folder=str(folder), **settings)
        logs = open_logs(chosen, service.dataplane.model)
        assert logs.rows is not None
        service.dataplane.log_rows(logs.rows)
        await scenario(service, logs.rows)
        await logs.close_rows()
        assert logs.rows._waiting.taken == 0

    asyncio.run(main())


async def predict(service: Service, rows: list[dict[str, Any]], own_id: str = "") -> int:
    headers = {"x-request-id": own_id} if own_id else {}
    status, _ = await service.post("/predict", headers, json.dumps({"rows": rows}).encode())
    return status


# What is logged


def test_rows_of_every_protocol_are_logged_as_they_came(tmp_path: Path) -> None:
    async def scenario(service: Service, _: RowLog) -> None:
        for number, one in enumerate(FORMATS):
            case = write_case(SCHEMA, RAW, one, len(RAW))
            if one.grpc:
                call = Call(TIMEOUT_S, own_id=b"own-%d" % number)
                method = service.methods[case.path[1:]]
                if "ModelInfer" in case.path:
                    request = method.request.FromString(case.body)
                    request.id = f"own-{number}"
                    await method.answer(request, call)
                else:
                    await method.answer(method.request.FromString(case.body), call)
            else:
                status, _ = await service.post(case.path, {**case.headers, "x-request-id": f"own-{number}"}, case.body)
                assert status == 200
        await predict(service, [ROW], "alone")

    with_log(tmp_path, scenario, share=1.0)
    table = read_rows(tmp_path)
    assert len(table) == len(FORMATS) * len(RAW) + 1
    assert table.loc["alone", "x"] == ROW["x"]
    for number, one in enumerate(FORMATS):
        kept = [table.loc[f"own-{number}/{index}"] for index in range(len(RAW))]
        city = [row["city with spaces"] for row in kept]
        assert city[::2] == ["b", "never seen"], one
        assert pd.isna(city[1]) or city[1] == "", one  # as the protocol writes what is missing
        assert [row["code"] for row in kept] == ["2", "1", "2"], one
        assert [None if pd.isna(row["yes"]) else bool(row["yes"]) for row in kept] == [False, None, True], one
        assert [row["x"] for row in kept[::2]] == [1.5, -7], one
        assert np.isnan(kept[1]["x"]), one
        moments = [row["时间"] for row in kept]
        assert moments[::2] == [pd.Timestamp("2024-02-03T04:05:06"), pd.Timestamp("1999-12-31T22:59:59")], one
        assert pd.isna(moments[1])


def test_a_part_says_what_it_holds(tmp_path: Path) -> None:
    answered: dict[str, Any] = {}

    async def scenario(service: Service, _: RowLog) -> None:
        _, body = await service.post("/predict", {"x-request-id": "one"}, json.dumps({"rows": [ROW]}).encode())
        answered.update(json.loads(body)["predictions"][0]["probabilities"])

    before = pd.Timestamp.now("UTC").floor("s")
    with_log(tmp_path, scenario)
    (path,) = list_rows(tmp_path)
    assert path.name.startswith("rows-7-")
    schema = pq.read_schema(path)
    kinds = {name: str(schema.field(name).type) for name in schema.names}
    assert kinds == {
        "prediction_id": "string", "time": "timestamp[us, tz=UTC]", "version": "string", "share": "double",
        "x": "double", "city with spaces": "string", "code": "string", "yes": "bool", "时间": "timestamp[us]",
        **dict.fromkeys(("answer.red", "answer.green", "answer.blue"), "double"),
    }  # fmt: skip
    metadata = pq.read_metadata(path).metadata
    assert (metadata[b"ekiben.schema"], metadata[b"ekiben.target"]) == (SCHEMA.digest.encode(), b"y")
    row = read_rows(tmp_path).loc["one"]
    assert {name: row[f"answer.{name}"] for name in answered} == answered
    assert (row["version"], row["share"]) == ("7", 1.0)
    assert before <= row["time"] <= pd.Timestamp.now("UTC")


def test_columns_are_hashed_or_dropped(tmp_path: Path) -> None:
    features = [one.model_copy(update={"log": how}) for one, how in zip(
        SCHEMA.features, ("hash", "hash", "drop", "", "hash"), strict=True)]  # fmt: skip
    schema = Schema(name=SCHEMA.name, features=tuple(features), target=SCHEMA.target)
    waiting = Waiting(2**20)
    for key in (b"", b"secret"):
        kept = Picker(schema, Layout(schema), 1.0, waiting).pick([ROW, EMPTY])
        assert kept is not None
        kept.answer(b"id", np.ones((2, 3), np.float32))
        ((_, table),) = RowColumns(schema, "7", 1.0, key).to_blocks([kept])
        assert "code" not in table.schema.names
        wanted = hmac.new(key, b"b", hashlib.sha256) if key else hashlib.sha256(b"b")
        hashed = [one.as_py() for one in table["city with spaces"]]
        assert hashed == [wanted.hexdigest()[:16], None]
        assert len(table["x"][0].as_py()) == 16
        assert [one.as_py() for one in table["yes"]] == [False, None]


@pytest.mark.parametrize("features", [slice(0, 1), slice(1, 2), slice(0, 5)], ids=["one number", "one category", "all"])
def test_what_is_kept_of_requests_is_what_was_answered_of_them(features: slice) -> None:
    schema = Schema(name=SCHEMA.name, features=SCHEMA.features[features], target=SCHEMA.target)
    waiting = Waiting(2**20)
    picker, answers = Picker(schema, Layout(schema), 1.0, waiting), np.arange(90, dtype=np.float32).reshape(30, 3)
    asked = [ROW, EMPTY, NEW, ROW, NEW, NEW, EMPTY]
    ends = (2, 3, 4, 6, 7)
    works = [Requested(start, stop) for start, stop in zip((0, *ends), ends, strict=False)]
    picker.keep(works, [{name: row[name] for name in schema.names} for row in asked])
    answered = []
    for number in (4, 1, 3, 0):  # the third gets no answer
        kept = works[number].kept
        assert kept is not None
        kept.answer(b"%d" % number, answers[number : number + len(kept)])
        answered.append(kept)
    ((ids, batch),) = RowColumns(schema, "7", 1.0, b"").to_blocks(answered)
    assert ids == ["4", "1", "3/0", "3/1", "0/0", "0/1"]
    assert batch["answer.red"].to_pylist() == [12.0, 3.0, 9.0, 12.0, 0.0, 3.0]
    xs = {"x": [None, -7.0, -7.0, -7.0, 1.5, None]}
    cities = {"city with spaces": [None, "never seen", "never seen", "never seen", "b", None]}
    for name, values in ((xs | cities) if features.stop == 5 else xs if features.start == 0 else cities).items():
        assert batch[name].to_pylist() == values
    del kept, answered, works, picker
    assert waiting.taken == 0


def test_rows_for_which_there_is_no_memory_are_not_kept() -> None:
    waiting = Waiting(2**16)
    picker = Picker(SCHEMA, Layout(SCHEMA), 1.0, waiting)
    assert picker.pick([ROW | {"city with spaces": "z" * 2**16}]) is None
    assert (picker.dropped, waiting.taken) == (1, 0)
    assert picker.pick([ROW]) is not None


def test_a_dictionary_ends_before_it_holds_what_no_row_has() -> None:
    waiting = Waiting(2**24)
    picker = Picker(SCHEMA, Layout(SCHEMA), 1.0, waiting)
    kept: list[Kept] = []
    for first in range(0, 3000, 100):
        one = picker.pick([ROW | {"city with spaces": f"{number}"} for number in range(first, first + 100)])
        assert one is not None
        one.answer(b"%d" % first, np.zeros((100, 3), np.float32))
        kept.append(one)
    blocks = RowColumns(SCHEMA, "7", 1.0, b"").to_blocks(kept)
    assert len(blocks) == 3
    cities = [city for _, batch in blocks for city in batch["city with spaces"].to_pylist()]
    assert cities == list(map(str, range(3000)))
    kept.clear()
    del one
    assert waiting.taken == picker._dictionary.taken


def test_a_schema_without_such_columns_is_the_file_it_was() -> None:
    assert '"log"' not in SCHEMA.model_dump_json()
    hashed = SCHEMA.features[0].model_copy(update={"log": "hash"})
    assert hashed.model_dump()["log"] == "hash"


def test_half_a_surrogate_pair_is_logged_as_a_question_mark(tmp_path: Path) -> None:
    async def scenario(service: Service, _: RowLog) -> None:
        assert await predict(service, [ROW | {"city with spaces": "a\ud800"}], "odd") == 200
        assert await predict(service, [ROW], "even") == 200

    with_log(tmp_path, scenario)
    assert read_rows(tmp_path)["city with spaces"].to_dict() == {"odd": "a?", "even": "b"}


def test_a_feature_that_is_called_as_a_column_of_the_log_is_renamed() -> None:
    named = name_features(["time", "x", "feature.time", "version"], SCHEMA.target)
    assert list(named.values()) == ["feature.feature.time", "x", "feature.time", "feature.version"]


def test_rows_that_get_no_answer_are_not_logged(tmp_path: Path) -> None:
    async def scenario(service: Service, rows: RowLog) -> None:
        many = [ROW | {"city with spaces": "z" * 100}] * 600
        assert await predict(service, [*many, ROW | {"x": "wrong"}]) == 400
        assert await predict(service, [*many] * 2) == 413
        service.dataplane.accepting = False
        assert await predict(service, many) == 503
        assert await predict(service, [ROW]) == 503
        pickers = rows._picker, rows._large_picker
        await wait_for(lambda: rows._waiting.taken == sum(picker._dictionary.taken for picker in pickers))

    with_log(tmp_path, scenario)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("share", [1.0, 0.3])
def test_rows_of_a_large_request_keep_their_ids(tmp_path: Path, share: float) -> None:
    async def scenario(service: Service, _: RowLog) -> None:
        rows = [ROW | {"x": index, "city with spaces": "z" * 100} for index in range(900)]
        assert await predict(service, rows, "large") == 200

    with_log(tmp_path, scenario, share)
    table = read_rows(tmp_path)
    assert [float(name.partition("/")[2]) for name in table.index] == table["x"].tolist()
    assert len(table) == 900 if share == 1 else 180 < len(table) < 360


def test_requests_that_arrive_together_keep_their_rows(tmp_path: Path) -> None:
    async def scenario(service: Service, _: RowLog) -> None:
        sizes = (20, 1, 8, 300, 9)
        asked = ([ROW | {"x": 1000 * number + index} for index in range(size)] for number, size in enumerate(sizes))
        statuses = await asyncio.gather(*(predict(service, rows, f"own-{n}") for n, rows in enumerate(asked)))
        assert set(statuses) == {200}

    with_log(tmp_path, scenario)
    table = read_rows(tmp_path)
    assert len(table) == 338
    for name, x, first in zip(table.index, table["x"], table["answer.red"], strict=True):
        number, _, index = name.removeprefix("own-").partition("/")
        assert x == 1000 * int(number) + int(index or 0)
        assert first == pytest.approx(x + table["answer.red"]["own-0/0"])


# Which rows


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_every_row_has_the_same_chance(size: int) -> None:
    sampler, share, requests = Sampler(0.1), 0.1, 200_000 // size
    picked = [sampler.pick(size) for _ in range(requests)]
    assert abs(sum(map(len, picked)) - share * size * requests) < 6 * (share * size * requests) ** 0.5
    if size == 7:
        counts = np.bincount([index for one in picked for index in one], minlength=size)
        assert abs(counts - counts.mean()).max() < 6 * counts.mean() ** 0.5
    assert list(Sampler(1.0).pick(size)) == list(range(size))
    assert Sampler(1e-300).pick(size) == ()


@pytest.mark.parametrize("sizes", [[1] * 64, [64] * 16, [1, 300, 2, 256, 257, 3]], ids=["single", "many", "mixed"])
def test_every_request_of_those_that_arrive_together_has_the_same_chance(sizes: list[int]) -> None:
    picker = Picker(SCHEMA, Layout(SCHEMA), 0.5, Waiting(2**30))
    ends = np.cumsum(sizes).tolist()
    rows = [ROW] * ends[-1]
    columns = Transposer(SCHEMA.names).transpose(rows)
    assert columns is not None
    counts, rounds = np.zeros(len(sizes)), 400
    for _ in range(rounds):
        works = [Requested(end - size, end) for size, end in zip(sizes, ends, strict=True)]
        picker.keep(works, columns)
        for index, work in enumerate(works):
            if work.kept is not None:
                counts[index] += len(work.kept)
                assert sizes[index] > FEW_ROWS or len(work.kept) == sizes[index]
    shares = counts / np.array(sizes) / rounds
    assert abs(shares - 0.5).max() < 6 * 0.5 / rounds**0.5


# What keeps it from being written


def test_a_part_is_written_when_it_is_old_whatever_the_clock_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "TICK_S", 0.01)
    ahead = 0.0
    real = time.time
    monkeypatch.setattr(module.time, "time", lambda: real() + ahead)

    async def scenario(service: Service, _: RowLog) -> None:
        nonlocal ahead
        for number, jump in enumerate((61.0, -3600.0)):
            assert await predict(service, [ROW]) == 200
            await asyncio.sleep(0.05)  # nothing is written meanwhile
            assert len(list_rows(tmp_path)) == number
            ahead += jump
            await wait_for(lambda: len(list_rows(tmp_path)) == number + 1)  # noqa: B023

    with_log(tmp_path, scenario)


def test_what_waits_for_a_slow_disk_is_bounded(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "MAX_WAITING_BYTES", 200_000)
    monkeypatch.setattr(module, "PART_BYTES", 50_000)
    monkeypatch.setattr(module, "BLOCK_ROWS", 50)
    slow = Slow()
    monkeypatch.setattr("ekiben.service.row_log.logs.open_folder", lambda *given: slow)
    dropped: dict[str, int] = {}
    monkeypatch.setattr(
        metrics, "count_log_dropped", lambda why, rows: dropped.update({why: dropped.get(why, 0) + rows})
    )

    async def scenario(service: Service, rows: RowLog) -> None:
        for number in range(40):
            cities = (f"{number}.{index}" + "z" * 300 for index in range(50))
            assert await predict(service, [ROW | {"city with spaces": city} for city in cities]) == 200
            await asyncio.sleep(0)
            assert rows._waiting.taken < 300_000
        assert await predict(service, [ROW | {"city with spaces": "z" * 60_000}]) == 200  # alone it is too much
        slow.gate.set()

    with_log("", scenario)
    kept = sum(pq.read_table(io.BytesIO(one)).num_rows for one in slow.written)
    assert min(kept, dropped["waiting"]) > 50
    assert kept + dropped["waiting"] == 2001
    assert caplog.text.count("the row log drops rows") == 1


def test_a_disk_that_is_full_for_a_while_costs_rows_and_one_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "MAX_AGE_S", 0.0)
    monkeypatch.setattr(module, "TICK_S", 0.01)
    counted: dict[str, int] = {}
    monkeypatch.setattr(
        metrics, "count_log_dropped", lambda why, rows: counted.update({why: counted.get(why, 0) + rows})
    )
    folder = tmp_path / "log"
    folder.write_text("a file where the folder should be")

    async def scenario(service: Service, rows: RowLog) -> None:
        caplog.set_level(logging.INFO, "bentoml.service")
        for number in (1, 2):
            assert await predict(service, [ROW]) == 200
            await wait_for(lambda: counted.get("write") == number)  # noqa: B023
        folder.unlink()
        assert await predict(service, [ROW]) == 200
        await wait_for(lambda: "is written to" in caplog.text)

    with_log(folder, scenario)
    assert caplog.text.count("can't be written to") == 1
    assert len(read_rows(folder)) == 1
    assert [path.name for path in folder.iterdir()] == [path.name for path in list_rows(folder)]


def test_a_fault_of_the_log_costs_no_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("a fault")

    said: list[str] = []
    monkeypatch.setattr(RowColumns, "to_blocks", fail)
    monkeypatch.setattr(module.logger, "exception", said.append)

    async def scenario(service: Service, _: RowLog) -> None:
        monkeypatch.setattr(module, "BLOCK_ROWS", 1)
        assert await predict(service, [ROW] * 256) == 200
        monkeypatch.setattr(Kept, "answer", fail)
        assert await predict(service, [ROW]) == 200
        monkeypatch.setattr(Dictionary, "find", fail)
        assert await predict(service, [ROW | {"city with spaces": "z" * 100}] * 900) == 200
        assert await predict(service, [ROW]) == 200

    with_log(tmp_path, scenario)
    assert said == ["rows can't be logged"] * 4


# Other places


def test_a_folder_may_be_anywhere_that_fsspec_knows(tmp_path: Path) -> None:
    async def scenario(service: Service, _: RowLog) -> None:
        assert await predict(service, [ROW]) == 200

    with_log(f"file://{tmp_path}/remote", scenario)
    assert len(read_rows(tmp_path / "remote")) == 1


@pytest.mark.parametrize(
    ("url", "needed"),
    [("s3://bucket/log", "fsspec and s3fs"), ("gs://b", "gcsfs"), ("nowhere://b", "the storage's library")],
)
def test_a_storage_whose_library_is_missing_is_one_sentence(url: str, needed: str) -> None:
    with pytest.raises(FolderUnusable, match=needed) as caught:
        open_folder(url)
    assert str(caught.value).startswith(f"LOG_FOLDER='{url}' needs")


@pytest.mark.slow
def test_the_service_does_not_start_without_the_storages_library(model: PackedModel) -> None:
    ended = run("-m", "bentoml", "serve", "--port", "0", fails=True, LOG_FOLDER="s3://bucket/log", LOG_SAMPLE="0.1")
    assert "LOG_FOLDER='s3://bucket/log' needs fsspec and s3fs" in ended.stderr
    assert "Traceback" not in ended.stderr
