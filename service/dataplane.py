"""Rows in, answers out: everything that is the same in every protocol."""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from ekiben.contract.answers import Answers
from ekiben.contract.columns import Rows
from ekiben.contract.encoding import Encoder
from ekiben.contract.errors import FieldError, InvalidInput
from ekiben.contract.reference.counting import RowCounter
from ekiben.contract.reference.reference import Reference
from ekiben.contract.validation import validate_rows
from ekiben.model.engine import Engine
from ekiben.model.package import PackedModel
from ekiben.model.steps import finish
from ekiben.service.batching.background import BackgroundQueue
from ekiben.service.batching.coalescer import PreparedRows, RequestCoalescer
from ekiben.service.batching.cost_model import CostModel
from ekiben.service.batching.queue import BatchQueue
from ekiben.service.batching.turns import EngineTurns
from ekiben.service.batching.warm_up import measure_cost
from ekiben.service.batching.work import Work
from ekiben.service.callers import wait_unless_gone
from ekiben.service.connections.byte_budget import MAX_LIMIT_BYTES, ByteBudget
from ekiben.service.errors import BadRequest, CallerGone, NotReady
from ekiben.service.explaining.queue import MAX_WAITING_ROWS, ExplanationQueue
from ekiben.service.monitoring.monitor import Monitor
from ekiben.service.prediction_ids import Caller, PredictionIds
from ekiben.service.recorders import RowRecorder, ShadowRecorder
from ekiben.service.telemetry import metrics
from ekiben.service.telemetry.statistics import OTHER, Recorder
from ekiben.service.unknown_fields import Fields

MAX_IDLE_ROWS = 4096


@dataclass(slots=True)  # not frozen: that would cost half a microsecond
class Prediction:
    """The answers to one request's rows."""

    answers: Answers  # (rows, outputs)
    warnings: list[FieldError]


class Dataplane:
    """Answers the rows of one version of a model; belongs to one event loop."""

    def __init__(
        self, model: PackedModel, engine: Engine, max_waiting_rows: int, max_request_rows: int,
        max_wait_s: float = math.inf, budget: ByteBudget | None = None, reference: Reference | None = None,
        ids: PredictionIds | None = None, turns: EngineTurns | None = None,
        cost: CostModel | None = None, max_explanation_rows: int = MAX_WAITING_ROWS,
        ignore_unknown_fields: bool = False,
    ) -> None:  # fmt: skip
        self.model = model
        self._max_request_rows = max_request_rows
        encoder = Encoder(model.schema)
        self.fields = Fields(model.schema, ignore_unknown_fields)
        self.recorder = Recorder()  # of what this process answers
        turns = turns or EngineTurns()
        self.queue = BatchQueue(engine, max_waiting_rows, self.recorder, max_wait_s, turns)
        self.idle_queue = BackgroundQueue(engine, turns, MAX_IDLE_ROWS)  # of people who try: nobody's traffic
        self.queue.cost = cost or finish(measure_cost(engine, model.schema))
        self.explanations = ExplanationQueue(
            model, engine, turns, self.queue.cost, max_explanation_rows, self.fields.fit
        )
        self._coalescer = RequestCoalescer(encoder, self.queue, self.recorder)
        self.monitor = None if reference is None else Monitor(RowCounter(model.schema, reference), self.queue)
        self.budget = budget or ByteBudget(MAX_LIMIT_BYTES)  # of bodies under way, in every protocol
        self._ids = ids or PredictionIds()
        self._row_log: RowRecorder | None = None
        self.shadow: ShadowRecorder | None = None
        self.ready = True  # false once the service is asked to stop
        self.accepting = True  # false once it takes no new work

    def log_rows(self, row_log: RowRecorder | None) -> None:
        """Let a log keep rows from now on, or none."""
        self._row_log = row_log
        self._coalescer.keep = None if row_log is None else row_log.keep

    async def predict(
        self,
        rows: Rows | PreparedRows,
        timeout_s: float,
        protocol: str,
        gone: Callable[[], Awaitable[None]] | None = None,
        caller: Caller | None = None,
    ) -> Prediction:
        """Answer the rows within the time.

        `gone` waits until the caller has disconnected; its rows are then not computed. The `caller` gets the answer's
        id. Raises InvalidInput if a row doesn't fit the schema, BadRequest if they are too many, and a RequestRejected
        if there is no answer in time.
        """
        self.check_count(len(rows))
        started = time.monotonic()
        if caller is not None:
            caller.rows, caller.model = len(rows), self.model.name
        try:
            wait_for_more = gone is None and (caller is None or caller.one_a_turn)
            work = self._submit(rows, started + timeout_s, wait_for_more, caller)
            if gone is None or not self.queue.busy:
                answers = await work.future
            else:
                answers = await wait_unless_gone(work.future, gone)  # if the caller goes, the queue drops its rows
        except asyncio.CancelledError:  # over gRPC a caller that goes is told of so
            metrics.count_rejected(protocol, CallerGone.reason)
            raise
        except Exception as error:
            self._record_failure(error, started, caller)
            raise
        self._record_answer(answers, started, caller)
        if self.shadow is not None:
            self.shadow.record(b"" if caller is None else caller.prediction_id, work, answers)
        if work.kept is not None and self._row_log is not None:
            prediction_id = self._ids.next() if caller is None else caller.prediction_id
            self._row_log.record(prediction_id, work.kept, answers)
        return Prediction(answers, work.unseen)

    def _submit(self, rows: Rows | PreparedRows, deadline: float, wait_for_more: bool, caller: Caller | None) -> Work:
        """Hand rows to the coalescer; what its caller has to know of them is told to the caller."""
        if not self.accepting:
            raise NotReady
        if not rows:
            validate_rows(self.model.schema, ())
        rows, ignored = (rows, rows.ignored) if isinstance(rows, PreparedRows) else self.fields.fit(rows)
        if ignored and caller is not None:
            caller.ignored = ignored
        work = self._coalescer.submit(rows, deadline, wait_for_more=wait_for_more)
        if caller is not None:
            work.trace = caller.trace
        return work

    def prepare(self, rows: Rows, check_time: Callable[[], object]) -> PreparedRows:
        """Check and encode many rows; may be called off the event loop. Raises as `predict` does."""
        self.check_count(len(rows))
        started = time.monotonic()
        rows, ignored = self.fields.fit(rows)
        try:
            prepared = self._coalescer.prepare(rows, check_time)
        except Exception as error:
            self._record_failure(error, started)
            raise
        prepared.ignored = ignored
        if self._row_log is not None:
            prepared.kept = self._row_log.pick_large(rows)
        return prepared

    def _record_answer(self, answers: Answers, started: float, caller: Caller | None) -> None:
        seconds = time.monotonic() - started
        self.recorder.record_answer(seconds)
        if caller is not None:
            caller.prediction_id = caller.own_id or self._ids.next()
            if caller.drawn is not None:
                caller.drawn.note_answer(seconds, answers, caller.prediction_id)

    def _record_failure(self, error: Exception, started: float, caller: Caller | None = None) -> None:
        self.recorder.record_failure(time.monotonic() - started, getattr(error, "reason", OTHER))
        if caller is not None and caller.drawn is not None:
            caller.drawn.note_failure(error)
        if self.monitor is not None and isinstance(error, InvalidInput):
            self.monitor.reject(error.field_errors)

    @property
    def last_used(self) -> float:
        """When the last request was answered or explained, in seconds since 1970; 0 if none was."""
        return max(self.recorder.last, self.explanations.counter.last)

    def check_count(self, rows: int) -> None:
        """Raise BadRequest if that many rows are too many for one request."""
        if rows > self._max_request_rows:
            raise BadRequest(413, f"{rows} rows are more than {self._max_request_rows}: send them in several requests")

    def stop_being_ready(self) -> None:
        """Report not ready to probes; requests are still answered."""
        self.ready = False

    def close(self) -> None:
        """Take no new work and stop the engine."""
        self.ready = self.accepting = False
        self.explanations.close()
        self.queue.close()
        self.idle_queue.close()
        if self.monitor is not None:
            self.monitor.close()
