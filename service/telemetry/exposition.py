"""/metrics, made at most once a second: it reads every worker's counters from their files, which takes 5-7 ms."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from bentoml._internal.configuration.containers import BentoMLContainer  # there is no public way

from ekiben.service.http.messages import Request, Response
from ekiben.service.pages.swagger_ui import HEADERS
from ekiben.service.protocols.openapi import STRING, TEXT
from ekiben.service.protocols.protocol import Operation, Protocol, Route
from ekiben.service.settings import Settings
from ekiben.service.telemetry.metrics import FLUSH_S
from ekiben.service.telemetry.old_names import add_old_names
from ekiben.service.telemetry.triton_series import drop_totals

PATH = "/metrics"
SHOWN = Operation("All metrics, as Prometheus reads them", response={TEXT: STRING}, errors=(503,))
Rename = Callable[[bytes], bytes]
Prepare = Callable[[], Awaitable[Callable[[], bytes]]]


class Exposition:
    """All metrics as Prometheus reads them, no older than FLUSH_S; belongs to one event loop."""

    def __init__(
        self, generate: Callable[[], bytes], prepare: Prepare | None = None, rename: Rename | None = None
    ) -> None:
        """Take what makes them in any thread, and what prepares others here, of which a thread makes the rest.

        `rename`: what is done to the names of all.
        """
        self._generate = generate
        self._prepare = prepare
        self._rename = rename or bytes
        self._made: asyncio.Task[bytes] | None = None
        self._made_at = 0.0

    async def read(self) -> bytes:
        """Return the metrics; all who ask in the same second wait for, and get, one answer."""
        now = time.monotonic()
        if self._made is None or now >= self._made_at + FLUSH_S:
            self._made_at = now
            self._made = asyncio.create_task(self._make())
        return await asyncio.shield(self._made)  # a caller that goes takes nothing from the others

    async def _make(self) -> bytes:
        parts = [self._generate, *([await self._prepare()] if self._prepare else [])]
        return await asyncio.to_thread(lambda: self._rename(b"".join(make() for make in parts)))


def exposition(prepare: Prepare | None, settings: Settings) -> Protocol:
    """Return the protocol that serves the metrics, with others after them that `prepare` prepares."""
    client = BentoMLContainer.metrics_client.get()
    generate = drop_totals(client.generate_latest) if settings.triton_metrics else client.generate_latest
    metrics = Exposition(generate, prepare, add_old_names if settings.old_metric_names else None)
    content_type = client.CONTENT_TYPE_LATEST.encode()

    async def answer(request: Request) -> Response:
        return Response(await metrics.read(), HEADERS, content_type=content_type)

    return Protocol("metrics", (Route("GET", PATH, answer, operation=SHOWN),))
