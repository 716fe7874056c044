"""Rounds of pairs through the queue's second class: some variants of a row, answered together.

The row itself is in its first round, so that its prediction needs no trip of its own.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from ekiben.contract.answers import Answers
from ekiben.contract.encoding import Encoded
from ekiben.contract.explanation.explaining import ROUND_PAIRS, Explainer, Explaining
from ekiben.contract.explanation.walks import Walks
from ekiben.model.engine import Engine
from ekiben.model.package import PackedModel
from ekiben.service.batching.background import BackgroundQueue
from ekiben.service.batching.cost_model import CostModel
from ekiben.service.batching.turns import EngineTurns
from ekiben.service.errors import DeadlineExceeded, NotReady
from ekiben.service.explaining.counts import ExplanationCounter
from ekiben.service.offload import offload

ROUNDS_AT_ONCE = 1  # a prediction may find one under way: together they would make a batch as long as all of them
CELLS_ON_LOOP = 2**17  # that are laid out there at once, in a millisecond: ten pairs of up to 80 features, one of 256


class Rounds:
    """Computes for one version; belongs to one event loop."""

    def __init__(
        self, model: PackedModel, engine: Engine, turns: EngineTurns, cost: CostModel, counter: ExplanationCounter
    ) -> None:
        self._model, self._engine, self._turns, self._cost = model, engine, turns, cost
        self._counter = counter
        self.pair_rows = Walks(model.schema).rows_per_pair
        pair_cells = self.pair_rows * len(model.schema.features)
        self._pairs_at_once = max(1, min(ROUND_PAIRS, CELLS_ON_LOOP // pair_cells))
        self._wide = pair_cells > CELLS_ON_LOOP  # one of 2,000 features takes 36 ms
        self._turn = asyncio.Semaphore(ROUNDS_AT_ONCE)  # in the order they came
        self._opening = asyncio.Lock()
        self._explainer: Explainer | None = None
        self._queue: BackgroundQueue | None = None  # most services explain nothing
        self._closed = False

    async def start(self, row: Encoded, ends: float) -> Explaining:
        """Return a row's explanation after its first round; raise DeadlineExceeded if the time is over first.

        Raises InvalidModel if the background in the package was damaged since.
        """
        explaining = (await self._open_explainer()).start(row)
        await self.run(explaining, ROUND_PAIRS, ends)
        return explaining

    async def run(self, explaining: Explaining, pairs: int, ends: float) -> None:
        """Give a row so many more pairs, once it is its turn; raise DeadlineExceeded if the time is over first."""
        async with wait_for(self._turn, ends):
            end = explaining.pairs + pairs
            while explaining.pairs < end:
                variants = await self._lay_out(explaining, min(self._pairs_at_once, end - explaining.pairs))
                explaining.take(await self._answer(variants, ends))

    def predict(self, rows: int) -> float:
        """Return the seconds that the engine takes for so many rows, in batches as large as these are."""
        known = self._queue.cost if self._queue and self._queue.cost.row_s else self._cost
        return known.row_s * rows

    def close(self) -> None:
        """Compute nothing more."""
        self._closed = True
        if self._queue is not None:
            self._queue.close()

    async def _open_explainer(self) -> Explainer:
        """Read the background for the first row, off the event loop; most services explain nothing."""
        async with self._opening:
            if self._explainer is None:
                self._explainer = await offload(self._model.open_explainer)
        return self._explainer

    async def _lay_out(self, explaining: Explaining, pairs: int) -> Encoded:
        """Return the rows of so many more pairs, laid out in the thread if one alone would hold up the loop."""
        return await offload(explaining.next_rows, pairs) if self._wide else explaining.next_rows(pairs)

    async def _answer(self, rows: Encoded, ends: float) -> Answers:
        """Return the answers to rows of the second class."""
        if self._closed:
            raise NotReady
        answers = await self._open_queue().answer(rows, ends)
        self._counter.total.computed_rows += len(rows)
        return answers

    def _open_queue(self) -> BackgroundQueue:
        if self._queue is None:
            # Those whose callers are gone have room, too, until the queue looks at them.
            most = 2 * ROUNDS_AT_ONCE * (self._pairs_at_once * self.pair_rows + 1)
            self._queue = BackgroundQueue(self._engine, self._turns, most)
        return self._queue


@asynccontextmanager
async def wait_for(turn: asyncio.Semaphore, ends: float) -> AsyncIterator[None]:
    """Wait for a turn and give it back afterwards; raise DeadlineExceeded if the time is over first."""
    try:
        async with asyncio.timeout(ends - time.monotonic()):
            await turn.acquire()
    except TimeoutError:
        raise DeadlineExceeded from None
    try:
        yield
    finally:
        turn.release()
