"""One model of a service is flooded: its own callers are rejected, another's are answered in time."""

import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.conftest import PATIENCE_S, Server, serve, wait_until
from tests.packed_tasks import PRICE, ROW, STARS, store

pytestmark = pytest.mark.slow

UNITS = 60_000  # of the network that is flooded: a row takes it about a millisecond
FLOODERS, ROWS = 24, 200  # of each of their requests
LIMITS = {"MAX_WAITING_ROWS": "1000", "MAX_REQUEST_ROWS": "200"}  # fewer than they all send, however fast it is
CALLS = 100  # for the other model
IN_TIME = {"x-request-timeout-ms": "30000"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("home")
    store(home, [STARS])
    store(home, [PRICE], UNITS)
    environment = {"BENTOML_HOME": str(home / "bentoml"), "MODEL_NAME": "price,stars", **LIMITS}
    with serve(tmp_path_factory.mktemp("server"), **environment) as running:
        yield running


def post(client: httpx.Client, server: Server, name: str, rows: int) -> int:
    answered = client.post(f"{server.url}/predict/{name}", json={"rows": [ROW] * rows}, headers=IN_TIME)
    return answered.status_code


def flood(server: Server, statuses: "Counter[int]", over: threading.Event) -> None:
    with httpx.Client(timeout=PATIENCE_S) as client:
        while not over.is_set():
            statuses[post(client, server, "price", ROWS)] += 1


def test_a_flooded_model_rejects_its_own_callers_only(server: Server) -> None:
    over, statuses = threading.Event(), Counter[int]()
    with ThreadPoolExecutor(FLOODERS) as pool, httpx.Client(timeout=PATIENCE_S) as client:
        flooding = [pool.submit(flood, server, statuses, over) for _ in range(FLOODERS)]
        try:
            wait_until(lambda: statuses[429] > 0 < statuses[200], lambda: f"{statuses}")
            answered = Counter(post(client, server, "stars", 1) for _ in range(CALLS))
        finally:
            over.set()
        for one in flooding:
            one.result()
    assert answered == {200: CALLS}
    assert set(statuses) <= {200, 429, 504}
