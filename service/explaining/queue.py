"""Explains rows of one version of a model: each is answered some hundreds of times, in variants, while nobody waits.

All of that is the queue's second class: it is computed while no prediction waits, so a flood of explanations makes
explanations slow and nothing else. Few rounds are under way at once, and the others wait in the order they came, so
little is in memory; how much may wait is counted (`room`).

Every row gets one round of pairs. Where the caller allows for more, those that are not settled then get more, by turns,
until they are, or the time, less a margin to write the answer in, is over. If it is over before the first round is,
there is no answer. None of it counts as traffic: no statistics of predictions, monitoring, row log or challenger hears
of it.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ekiben.contract.answers import Answers
from ekiben.contract.columns import Rows
from ekiben.contract.encoding import Encoded, Encoder
from ekiben.contract.errors import FieldError
from ekiben.contract.explanation.background import BACKGROUND_FILE
from ekiben.contract.explanation.explaining import ROUND_PAIRS, Explaining
from ekiben.contract.explanation.explanation import Explanation
from ekiben.contract.field_fitting import Ignored
from ekiben.model.engine import Engine
from ekiben.model.package import NothingToExplainBy, PackedModel
from ekiben.service.batching.coalescer import PreparedRows
from ekiben.service.batching.cost_model import CostModel
from ekiben.service.batching.turns import EngineTurns
from ekiben.service.callers import wait_unless_gone
from ekiben.service.errors import BadRequest, CallerGone, RequestRejected
from ekiben.service.explaining.counts import ExplanationCounter
from ekiben.service.explaining.room import Room
from ekiben.service.explaining.rounds import Rounds
from ekiben.service.telemetry import metrics

MAX_WAITING_ROWS = 2**18  # for the engine: half a second
MARGIN, MAX_MARGIN_S = 0.1, 0.1  # of a caller's time, to write the answer in


@dataclass(slots=True)
class Explained:
    """The answers to one request's rows, and why they are what they are."""

    answers: Answers  # (rows, outputs)
    explanations: Sequence[Explanation]
    warnings: list[FieldError]


class ExplanationQueue:
    """Explains for one version; belongs to one event loop."""

    def __init__(
        self,
        model: PackedModel,
        engine: Engine,
        turns: EngineTurns,
        cost: CostModel,
        max_rows: int = MAX_WAITING_ROWS,
        fit: Callable[[Rows], tuple[Rows, Ignored]] = lambda rows: (rows, ()),
    ) -> None:
        """`cost`: what batches of this engine take, as far as is known; `max_rows`: for it, that may wait.

        `fit` makes the schema's fields of what a caller sends.
        """
        self._fit = fit
        self._model = model
        self._encoder = Encoder(model.schema)
        self.counter = ExplanationCounter()
        self._rounds = Rounds(model, engine, turns, cost, self.counter)
        self.room = Room(self._rounds.pair_rows, max_rows, self._rounds.predict)

    @cached_property
    def explains(self) -> bool:
        """Whether the model was packed with what explanations need."""
        return BACKGROUND_FILE in self._model.manifest.files

    def prepare(self, rows: Rows, pairs: int = ROUND_PAIRS) -> PreparedRows:
        """Check and encode rows to explain with at most so many pairs; may be called off the event loop.

        Raises BadRequest if they are too many or the model can't be explained, InvalidInput if one is wrong.
        """
        if not self.explains:
            raise BadRequest(501, str(NothingToExplainBy(self._model.name, self._model.version)))
        self.room.check(len(rows), pairs)
        rows, ignored = self._fit(rows)
        encoded = self._encoder.encode_rows(rows)
        unseen = [] if encoded.codes.all() else self._encoder.unseen(rows, encoded)
        return PreparedRows(encoded, unseen, ignored=ignored)

    async def explain(
        self,
        rows: PreparedRows,
        timeout_s: float,
        protocol: str,
        gone: Callable[[], Awaitable[None]] | None = None,
        pairs: int = ROUND_PAIRS,
    ) -> Explained:
        """Answer and explain rows within the time, with at most so many pairs for each.

        `gone` waits until the caller has disconnected: nothing more is then computed. Raises a RequestRejected if there
        is no explanation of every row in time.
        """
        started = time.monotonic()
        running = asyncio.ensure_future(self._explain(rows.encoded, pairs, started, timeout_s))
        try:
            explained = await (running if gone is None else wait_unless_gone(running, gone))
        except asyncio.CancelledError:  # over gRPC a caller that goes is told of so
            self.counter.total.failed += 1
            metrics.count_rejected(protocol, CallerGone.reason)
            raise
        except Exception:
            self.counter.total.failed += 1
            raise
        answers = np.concatenate([row.answer for row in explained if row.answer is not None])
        self.counter.record_answer([row.pairs for row in explained], time.monotonic() - started)
        return Explained(answers, [row.explanation for row in explained], rows.unseen)

    def count(self) -> None:
        """Hand on what was explained."""
        metrics.count_explanations(self._model.name, self.counter.take())

    def close(self) -> None:
        """Explain nothing more."""
        self._rounds.close()

    async def _explain(self, encoded: Encoded, pairs: int, started: float, timeout_s: float) -> list[Explaining]:
        """Return the rows after their rounds."""
        ends = started + timeout_s - min(MARGIN * timeout_s, MAX_MARGIN_S)
        taken, first_round = self.room.take(len(encoded), pairs, ends - time.monotonic()), self.room.price(1)
        rows = []
        try:
            for index in range(len(encoded)):
                rows.append(await self._rounds.start(encoded[index : index + 1], ends))
                self.room.give(first_round)
                taken -= first_round
            await self._refine(rows, pairs, ends)
        finally:
            self.room.give(taken)
        return rows

    async def _refine(self, rows: Sequence[Explaining], pairs: int, ends: float) -> None:
        """Give the rows that are not settled more rounds, by turns, while there is time."""
        try:
            while unsettled := [row for row in rows if row.pairs < pairs and not row.finished]:
                for row in unsettled:
                    await self._rounds.run(row, min(ROUND_PAIRS, pairs - row.pairs), ends)
        except RequestRejected:  # the time is over, there is no room, the engine failed, or the version ends
            return  # what there is will do
