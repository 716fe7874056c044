"""Ray Serve with the same model. Run `python -m ekiben.load_tests.servers.ray ENGINE PORT`.

As its documentation has it: `@serve.batch` makes batches, `max_ongoing_requests` lets as many
requests into the replica as two batches may hold, and the two variables of its guide to high
throughput put HAProxy in front instead of a proxy in Python, user code on the replica's own
event loop, and buffer the logs. Requests are read from Starlette as the guide to batching shows,
which costs less than FastAPI's ingress. One replica.
"""

import os
import signal
import sys
from itertools import chain, islice
from typing import Any

os.environ |= {
    "RAY_SERVE_THROUGHPUT_OPTIMIZED": "1",
    "RAY_SERVE_ENABLE_HA_PROXY": "1",
    "RAY_SERVE_HAPROXY_METRICS_PORT": str(int(sys.argv[2]) + 200),
    "RAY_SERVE_HAPROXY_STATS_PORT": str(int(sys.argv[2]) + 300),
    "RAY_USAGE_STATS_ENABLED": "0",
}

import ray  # type: ignore[import-not-found]
from ray import serve
from ray.serve.config import HTTPOptions  # type: ignore[import-not-found]
from starlette.requests import Request

from ekiben.load_tests.servers.packed_model import Rows, open_packed

MAX_BATCH_SIZE = 64  # requests: as many as are in flight at most
BATCH_TIMEOUT_S = 0.002  # 10 ms cost a seventh more CPU time a row


@serve.deployment(max_ongoing_requests=2 * MAX_BATCH_SIZE, ray_actor_options={"num_cpus": 1})
class Predictor:
    """Answers batches of requests."""

    def __init__(self, engine: str) -> None:
        self._packed = open_packed(engine)

    async def __call__(self, request: Request) -> dict[str, Any]:
        content = await request.json()
        return {"predictions": await self.predict(content["rows"])}

    @serve.batch(max_batch_size=MAX_BATCH_SIZE, batch_wait_timeout_s=BATCH_TIMEOUT_S)  # type: ignore[untyped-decorator]
    async def predict(self, requests: list[Rows]) -> list[list[dict[str, Any]]]:
        predictions = iter(self._packed.predict(list(chain.from_iterable(requests))))
        return [list(islice(predictions, len(rows))) for rows in requests]


def main(engine: str, port: int) -> None:
    """Serve on that port until SIGTERM."""
    ray.init(include_dashboard=False, log_to_driver=False)
    serve.start(http_options=HTTPOptions(host="127.0.0.1", port=port))
    serve.run(Predictor.bind(engine), route_prefix="/predict")  # type: ignore[attr-defined]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())  # Ray ends its processes when Python ends
    signal.pause()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
