"""/metrics, made at most once a second: it reads every worker's counters from their files, which takes 5-7 ms."""

import asyncio
import time
from collections.abc import Callable

from bentoml._internal.configuration.containers import BentoMLContainer  # there is no public way

from ekiben.service.http.messages import Request, Response
from ekiben.service.pages.swagger_ui import HEADERS
from ekiben.service.protocols.protocol import Protocol, Route
from ekiben.service.telemetry.metrics import FLUSH_S

PATH = "/metrics"


class Exposition:
    """All metrics as Prometheus reads them, no older than FLUSH_S; belongs to one event loop."""

    def __init__(self, generate: Callable[[], bytes]) -> None:
        self._generate = generate
        self._made: asyncio.Task[bytes] | None = None
        self._made_at = 0.0

    async def read(self) -> bytes:
        """Return the metrics; all who ask in the same second wait for, and get, one answer."""
        now = time.monotonic()
        if self._made is None or now >= self._made_at + FLUSH_S:
            self._made, self._made_at = asyncio.create_task(asyncio.to_thread(self._generate)), now
        return await asyncio.shield(self._made)  # a caller that goes takes nothing from the others


def exposition() -> Protocol:
    """Return the protocol that serves the metrics."""
    client = BentoMLContainer.metrics_client.get()
    metrics = Exposition(client.generate_latest)
    content_type = client.CONTENT_TYPE_LATEST.encode()

    async def answer(request: Request) -> Response:
        return Response(await metrics.read(), HEADERS, content_type=content_type)

    return Protocol("metrics", (Route("GET", PATH, answer),))
