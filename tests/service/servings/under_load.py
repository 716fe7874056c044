"""Callers who go on while versions change, and what a version is asked and has to say."""

import json
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import tritonclient.grpc as triton_grpc
from numpy.typing import NDArray

from ekiben.contract.encoding import Encoder
from ekiben.model.package import GOLDEN_FILE, MANIFEST_FILE, PackedModel, open_model
from tests.callers import triton_inputs
from tests.conftest import NAME, PATIENCE_S, Server, wait_until

VERSION = "x-model-version"
CALLERS = 6  # half of them over gRPC
Rows = list[dict[str, Any]]
Wanted = dict[str, NDArray[np.float32]]


def read_rows(model: PackedModel) -> Rows:
    golden: Rows = json.loads((model.path / GOLDEN_FILE).read_text())["rows"]
    return golden[:16]


def compute_answers(home: Path, rows: Rows) -> Wanted:
    """What each version's engine says of the rows, alone and without a service."""
    models = [_open_version(home, version) for version in ("1", "2")]
    return {one.version: one.start_engine().run(Encoder(one.schema).encode_rows(rows))[:, 0] for one in models}


def _open_version(home: Path, version: str) -> PackedModel:
    folder = home / "models" / NAME / version
    return open_model(folder, sha256((folder / MANIFEST_FILE).read_bytes()).hexdigest())


def choose(home: Path, version: str) -> None:
    """Let the store name a version as its newest, as `ekiben promote` does in the end."""
    (home / "models" / NAME / "latest").write_text(version)


class UnderLoad:
    """Callers over HTTP and gRPC that ask until they are told to stop; every answer is checked."""

    def __init__(self, server: Server, schema: Any, rows: Rows, wanted: Wanted) -> None:
        self._server, self._rows, self._wanted = server, rows, wanted
        self._inputs = triton_inputs(triton_grpc, schema, rows)
        self._going = True
        self.versions: Counter[str] = Counter()
        self.latest = ""
        self._pool = ThreadPoolExecutor(CALLERS)
        asks = (self._ask_http, self._ask_grpc)
        self._running = [self._pool.submit(self._go_on, asks[caller % 2]) for caller in range(CALLERS)]

    def __enter__(self) -> "UnderLoad":
        return self

    def __exit__(self, *_: object) -> None:
        self._going = False
        self._pool.shutdown()
        for caller in self._running:
            caller.result()

    def wait_for(self, version: str) -> None:
        wait_until(lambda: self.latest == version or self._failed(), self._server.log.read_text)

    def _failed(self) -> bool:
        return any(caller.done() for caller in self._running)

    def _go_on(self, ask_once: Callable[[ExitStack], Callable[[], tuple[str, Any]]]) -> None:
        with ExitStack() as clients:
            ask_again = ask_once(clients)
            while self._going:
                version, answers = ask_again()
                np.testing.assert_allclose(answers, self._wanted[version], atol=1e-5)
                self.versions[version] += 1
                self.latest = version

    def _ask_http(self, clients: ExitStack) -> Callable[[], tuple[str, Any]]:
        client, body = clients.enter_context(httpx.Client(timeout=PATIENCE_S)), {"rows": self._rows}

        def again() -> tuple[str, Any]:
            answered = client.post(f"{self._server.url}/predict", json=body)
            assert answered.status_code == 200, answered.text
            return answered.headers[VERSION], [one["probability"] for one in answered.json()["predictions"]]

        return again

    def _ask_grpc(self, clients: ExitStack) -> Callable[[], tuple[str, Any]]:
        client = clients.enter_context(closing(triton_grpc.InferenceServerClient(self._server.grpc)))

        def again() -> tuple[str, Any]:
            result = client.infer(NAME, self._inputs)
            return result.get_response().model_version, result.as_numpy("probability").ravel()

        return again
