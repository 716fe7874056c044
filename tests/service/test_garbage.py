"""A request leaves no reference cycles: its rows are freed with its answer, whatever the answer."""

import asyncio
import gc
import json
from collections import Counter
from collections.abc import Iterator

import pytest
import uvloop

from tests.fuzz.service import ROW, Service

JSON = {"content-type": "application/json"}
ROWS = 300  # a small body; a large one is read in a thread
WRONG = {**ROW, "x": "far"}
COLUMNS = {name: [value] * ROWS for name, value in ROW.items()}
WRONG_COLUMNS = {**COLUMNS, "x": ["far"] * ROWS}
DATATYPES = {"x": "FP32", "yes": "BOOL", "code": "INT64"}
INFER = "/v2/models/kinds/infer"


def tensors(columns: dict[str, list[object]]) -> dict[str, object]:
    return {
        "inputs": [
            {"name": name, "shape": [ROWS], "datatype": DATATYPES.get(name, "BYTES"), "data": values}
            for name, values in columns.items()
        ]
    }


def csv(row: dict[str, object]) -> bytes:
    lines = [",".join(ROW), *[",".join(map(str, row.values()))] * ROWS]
    return "\n".join(lines).encode()


REQUESTS = {
    "good": (200, "/predict", JSON, {"rows": [ROW] * ROWS}),
    "wrong value": (400, "/predict", JSON, {"rows": [ROW] * ROWS + [WRONG]}),
    "unknown field": (400, "/predict", JSON, {"rows": [{**ROW, "z": 1}] * ROWS}),
    "no rows": (400, "/predict", JSON, {"rows": []}),
    "too many rows": (413, "/predict", JSON, {"rows": [{}] * 1001}),
    "not JSON": (400, "/predict", JSON, b'{"rows": [' + b'{"x": 1},' * ROWS),
    "late": (504, "/predict", {**JSON, "x-request-timeout-ms": "0.001"}, {"rows": [ROW] * ROWS}),
    "tensors": (200, INFER, JSON, tensors(COLUMNS)),
    "wrong tensors": (400, INFER, JSON, tensors(WRONG_COLUMNS)),
    "instances": (200, "/v1/models/kinds:predict", JSON, {"instances": [ROW] * ROWS}),
    "wrong instances": (400, "/v1/models/kinds:predict", JSON, {"instances": [WRONG] * ROWS}),
    "wrong columns": (400, "/v1/models/kinds:predict", JSON, {"inputs": WRONG_COLUMNS}),
    "wrong records": (400, "/invocations", JSON, {"dataframe_records": [WRONG] * ROWS}),
    "CSV": (200, "/invocations", {"content-type": "text/csv"}, csv(ROW)),
    "wrong CSV": (400, "/invocations", {"content-type": "text/csv"}, csv(WRONG)),
    "ragged CSV": (400, "/invocations", {"content-type": "text/csv"}, csv(ROW) + b"\n1,2"),
    "open quote in CSV": (400, "/invocations", {"content-type": "text/csv"}, csv(ROW) + b'\n"' + b"a" * 99),
    "text behind a quote in CSV": (400, "/invocations", {"content-type": "text/csv"}, b'x\n"a"b\n' + csv(ROW)),
    "a row of CSV too long": (413, "/invocations", {"content-type": "text/csv"}, csv(ROW) + b"\n" + b"a" * 2**20),
    "not Parquet": (400, "/invocations", {"content-type": "application/vnd.apache.parquet"}, b"PAR1" + bytes(9)),
    "not gzip": (400, "/predict", {**JSON, "content-encoding": "gzip"}, b"\x1f\x8b" + bytes(99)),
    "another model": (404, "/v2/models/other/infer", JSON, {}),
}


@pytest.fixture
def no_collector() -> Iterator[None]:
    gc.collect()
    gc.freeze()  # what other tests left, such as TensorFlow's modules, need not be looked through each time
    gc.disable()
    yield
    gc.enable()
    gc.unfreeze()


@pytest.mark.usefixtures("no_collector")
@pytest.mark.parametrize("name", REQUESTS)
def test_a_request_leaves_no_cycles(name: str) -> None:
    status, path, headers, content = REQUESTS[name]
    body = content if isinstance(content, bytes) else json.dumps(content).encode()

    async def scenario() -> None:
        service = Service()
        for _ in range(2):  # what is made once and kept is not what is looked for
            assert (await service.post(path, headers, body))[0] == status
        await asyncio.sleep(0)
        gc.collect()
        assert (await service.post(path, headers, body))[0] == status
        await asyncio.sleep(0)
        # Counted, as a generator that waits in a cycle is closed before the collector would list it.
        there = count_objects()
        gc.collect()
        freed.update(there - count_objects())

    freed: Counter[str] = Counter()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(scenario())
    assert not freed, freed


def count_objects() -> Counter[str]:
    """Return how many objects there are that may be part of a cycle, by type.

    Tuples and dictionaries are left out: the collector lets go of those that hold numbers and strings alone.
    """
    return Counter(type(thing).__name__ for thing in gc.get_objects() if type(thing) not in (tuple, dict))
