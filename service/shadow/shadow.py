"""Lets a challenger answer, in idle time, what the champion has answered, and compares the answers.

A request that was answered leaves its encoded rows here (`waiting_rows`). One batch of them at a time is put together
and handed to the queue's second class, which computes while nobody waits; only once its answers are here is there a
next one. So whatever else the service has to do, nothing of the challenger's but the keeping comes in its way.
"""

import asyncio
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

import numpy as np

from ekiben.contract.answers import Answers
from ekiben.contract.comparison.counting import PairCounter
from ekiben.contract.comparison.losses import compare_losses
from ekiben.contract.comparison.parts import Part, Timing
from ekiben.contract.comparison.slices import Slicer
from ekiben.contract.comparison.transcoding import Transcoder
from ekiben.contract.encoding import Encoded
from ekiben.model.package import PackedModel
from ekiben.service.shadow.pairs import Matched, Pairs
from ekiben.service.shadow.waiting_rows import Piece, WaitingRows, gather

logger = logging.getLogger("bentoml.service")
MIN_ROWS, MAX_ROWS = 512, 4096  # of a batch: fewer wait for company until the next tick
TICK_S = 1.0


class IdleQueue(Protocol):
    """What computes rows while nobody waits for others."""

    def submit(self, encoded: Encoded, deliver: Callable[[Answers], None]) -> bool:
        """Queue rows; return False if there is no room. `deliver` gets their answers, on the event loop."""


class Shadow:
    """Compares for one process; belongs to one event loop."""

    def __init__(
        self, champion: PackedModel, challenger: PackedModel, queue: IdleQueue,
        read_timings: Callable[[], tuple[Timing, Timing]],
    ) -> None:  # fmt: skip
        """Raise InvalidModel if the two can't be compared; `read_timings` returns what both engines took."""
        self.transcoder = Transcoder(champion.schema, challenger.schema)
        self.champion, self.challenger = champion, challenger
        schema = champion.schema
        self._target = schema.target
        self._outputs = len(schema.target.outputs)
        scores = champion.training_scores
        slicer = Slicer(schema, champion.reference, tuple(scores.slices) if scores else ())
        self.counter = PairCounter(schema.target, slicer, os.urandom(8).hex(), challenger.schema.target)
        self._pairs = Pairs(self._outputs)
        self._queue, self._read_timings = queue, read_timings
        self._scoring = self._closed = self._failed = False
        self.loop = asyncio.get_running_loop()
        values = len(schema.number_names) + len(schema.categories) + self._outputs
        self.waiting = WaitingRows(values, MIN_ROWS, self._schedule)
        self.record = self.waiting.add  # every request calls it
        self._tick()

    def take_labels(self, ids: Sequence[bytes], labels: Sequence[float]) -> Matched:
        """Take labels, as positions of classes or numbers."""
        matched = self._pairs.match(ids, labels)
        self.counter.repeat(matched.repeated)
        if len(matched.places):
            answers = self._pairs.read(matched.places)
            self.counter.judge(compare_losses(self._target, *answers, matched.labels))
        return matched

    def describe(self) -> Part:
        """Return what was compared so far."""
        return self.counter.describe(self.waiting.answered, self.waiting.dropped, *self._read_timings())

    def close(self) -> None:
        """Compare nothing more."""
        self._closed = True

    def _score(self) -> None:
        """Hand the oldest rows to the challenger."""
        with self._isolated():
            pieces = self.waiting.take(MAX_ROWS)
            if pieces and self._submit(pieces):
                return
        self._end()

    def _submit(self, pieces: list[Piece]) -> bool:
        encoded, champion = gather(pieces)
        done = self.transcoder.transcode(encoded)
        self.counter.drop("rejected", done.rejected)
        self.counter.drop("unknown", done.unknown)
        kept = np.ones(len(encoded), bool) if done.kept is None else done.kept
        if not len(done.encoded):
            return False

        def deliver(answers: Answers) -> None:
            if self._closed:
                return
            with self._isolated():
                challenger = np.full((len(kept), self._outputs), np.nan, np.float32)
                challenger[kept] = answers
                self._compare(pieces, encoded, champion, challenger, len(answers))
            self._end()

        taken = self._queue.submit(done.encoded, deliver)
        if not taken:
            self.counter.drop("waiting", len(done.encoded))
        return taken

    def _compare(
        self, pieces: list[Piece], encoded: Encoded, champion: Answers, challenger: Answers, scored: int
    ) -> None:
        """Take the answers to a batch."""
        finite = np.asarray(np.isfinite(np.hstack([champion, challenger])).all(axis=1))
        self.counter.drop("failed", scored - int(finite.sum()))
        self.counter.compare(encoded.codes[finite], champion[finite], challenger[finite])
        self._pairs.add(pieces, champion, challenger, finite)
        self.take_labels(*self._pairs.take_early(pieces))

    @contextmanager
    def _isolated(self) -> Iterator[None]:
        """Log whatever goes wrong inside, the first time."""
        try:
            yield
        except Exception:  # the boundary: whatever is wrong with the comparison, the champion serves on
            if not self._failed:
                self._failed = True
                logger.exception("rows can't be compared; the champion serves on")

    def _schedule(self) -> None:
        if not self._scoring:
            self._scoring = True
            self.loop.call_soon(self._score)

    def _end(self) -> None:
        """Go on with the next batch, once there are rows enough."""
        self._scoring = False
        self.waiting.wait()

    def _tick(self) -> None:
        """Hand over what is left of a quiet second."""
        if self._closed:
            return
        if self.waiting.rows:
            self._schedule()
        self.loop.call_later(TICK_S, self._tick)
