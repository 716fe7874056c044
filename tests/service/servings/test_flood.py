"""One model of a service is flooded: its own callers are rejected, another's are answered in time."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.conftest import Server, serve
from tests.packed_tasks import PRICE, ROW, STARS, store

pytestmark = pytest.mark.slow

UNITS = 60_000  # of the network that is flooded: a row takes it about a millisecond
FLOODERS, ROWS = 8, 200  # of each of their requests
CALLS = 100  # for the other model
IN_TIME = {"x-request-timeout-ms": "30000"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("home")
    store(home, [STARS])
    store(home, [PRICE], UNITS)
    environment = {"BENTOML_HOME": str(home / "bentoml"), "MODEL_NAME": "price,stars", "MAX_WAIT_S": "0.1"}
    with serve(tmp_path_factory.mktemp("server"), **environment) as running:
        yield running


def post(client: httpx.Client, server: Server, name: str, rows: int) -> int:
    answered = client.post(f"{server.url}/predict/{name}", json={"rows": [ROW] * rows}, headers=IN_TIME)
    return answered.status_code


def flood(server: Server, going: Callable[[], bool]) -> Counter[int]:
    statuses: Counter[int] = Counter()
    with httpx.Client(timeout=30) as client:
        while going():
            statuses[post(client, server, "price", ROWS)] += 1
    return statuses


def test_a_flooded_model_rejects_its_own_callers_only(server: Server) -> None:
    over = threading.Event()
    with ThreadPoolExecutor(FLOODERS) as pool, httpx.Client(timeout=30) as client:
        flooding = [pool.submit(flood, server, lambda: not over.is_set()) for _ in range(FLOODERS)]
        try:
            answered = Counter(post(client, server, "stars", 1) for _ in range(CALLS))
        finally:
            over.set()
        statuses = sum((one.result() for one in flooding), Counter[int]())
    assert answered == {200: CALLS}
    assert statuses[429] > 0 < statuses[200]
    assert set(statuses) <= {200, 429, 504}
