"""LitServe with the same model. Run `python -m ekiben.load_tests.servers.litserve ENGINE PORT`.

As its documentation has it: `max_batch_size` and `batch_timeout` make batches, `batch` and
`unbatch` are ours because a request holds several rows, and `fast_queue` passes requests to the
worker over ZeroMQ, which it recommends for many small ones. One worker and one API server: on
two cores that the load generator shares, more of either take from each other.
"""

import sys
from itertools import chain, islice
from typing import Any

import litserve  # type: ignore[import-not-found]

from ekiben.load_tests.servers.packed_model import Rows, open_packed

MAX_BATCH_SIZE = 64  # requests: as many as are in flight at most
BATCH_TIMEOUT_S = 0.01  # 2 ms cost a quarter more CPU time a row


class Predictor(litserve.LitAPI):  # type: ignore[misc]
    """Answers batches of requests."""

    def __init__(self, engine: str) -> None:
        super().__init__(max_batch_size=MAX_BATCH_SIZE, batch_timeout=BATCH_TIMEOUT_S, api_path="/predict")
        self._engine_name = engine

    def setup(self, device: str) -> None:
        self._packed = open_packed(self._engine_name)

    def decode_request(self, request: dict[str, Any]) -> Rows:
        rows: Rows = request["rows"]
        return rows

    def batch(self, inputs: list[Rows]) -> list[Rows]:
        return inputs

    def predict(self, x: list[Rows]) -> list[list[dict[str, Any]]]:
        predictions = iter(self._packed.predict(list(chain.from_iterable(x))))
        return [list(islice(predictions, len(rows))) for rows in x]

    def unbatch(self, output: list[list[dict[str, Any]]]) -> list[list[dict[str, Any]]]:
        return output

    def encode_response(self, output: list[dict[str, Any]]) -> dict[str, Any]:
        return {"predictions": output}


def main(engine: str, port: int) -> None:
    """Serve on that port."""
    server = litserve.LitServer(Predictor(engine), accelerator="cpu", workers_per_device=1, fast_queue=True)
    server.run(host="127.0.0.1", port=port, num_api_servers=1, generate_client_file=False, log_level="warning")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
