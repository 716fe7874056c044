"""One batch: the rows of several requests, taken, merged, computed, and given back to whom they belong.

If the engine fails on a batch, its halves are computed, and theirs, until only the requests that it fails on are left:
one of n costs some 2 log2(n) batches more, and the others get their answers (Dorfman's group testing, 1943).
"""

import logging
import math
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ekiben.contract.answers import Answers
from ekiben.contract.encoding import Encoded
from ekiben.model.engine import Engine
from ekiben.service.batching.work import Part, Work
from ekiben.service.errors import EngineFailed

logger = logging.getLogger("bentoml.service")

DEADLINE_MARGIN = 1.25  # batches of one size differ by about that much
Result = Answers | EngineFailed  # of one part


@dataclass(slots=True)
class Computed:
    """What the engine gave for a batch."""

    results: Sequence[Result]  # of each part
    answers: Answers | None = None  # of the whole batch, (rows, outputs); None if it had to be halved
    seconds: float = 0.0  # that the engine took for it, and for its halves


def take(waiting: deque[Work], most_rows: int, now: float, predict: Callable[[int], float]) -> tuple[list[Part], int]:
    """Take the oldest live rows, as many as keep the earliest deadline among them.

    Returns also how many rows wait no longer; those whose callers are gone or too late are among them.
    """
    parts: list[Part] = []
    rows, gone, earliest = 0, 0, math.inf
    while waiting and rows < most_rows:
        work = waiting[0]
        start = work.next
        left = work.stop - start
        if work.expire(now):
            waiting.popleft()
            gone += left
            continue
        taking = min(left, most_rows - rows)
        earliest = min(earliest, work.deadline)
        if parts and now + DEADLINE_MARGIN * predict(rows + taking) > earliest:
            break
        parts.append((work, start, start + taking))
        work.next += taking
        rows += taking
        waiting.popleft()
        if taking < left:  # the rest waits behind the others: they need not wait for all of it
            waiting.append(work)
    return parts, rows + gone


def compute(engine: Engine, parts: Sequence[Part], merged: Encoded) -> Computed:
    """Return each part's answers and the seconds they took."""
    started = time.perf_counter()
    try:
        return compute_whole(engine, parts, merged)
    except Exception:
        if len(parts) == 1:
            logger.exception("the engine failed on a request of %d rows", len(merged))
    results = _compute_halves(engine, parts)
    return Computed(results, None, time.perf_counter() - started)


def compute_whole(engine: Engine, parts: Sequence[Part], merged: Encoded) -> Computed:
    """Return the same; raise whatever the engine does."""
    started = time.perf_counter()
    answers = engine.run(merged)
    if len(answers) != len(merged):
        raise RuntimeError(f"the engine gave {len(answers)} answers for {len(merged)} rows")
    return Computed(_split(answers, parts), answers, time.perf_counter() - started)


def _compute_halves(engine: Engine, parts: Sequence[Part]) -> Sequence[Result]:
    if len(parts) == 1 or all(work.future.done() for work, _, _ in parts):  # nobody waits any more
        return [EngineFailed() for _ in parts]
    middle = len(parts) // 2
    halves = parts[:middle], parts[middle:]
    return [result for half in halves for result in compute(engine, half, merge(half)).results]


def list_answered(parts: Sequence[Part], merged: Encoded, computed: Computed) -> Iterator[tuple[Encoded, Answers]]:
    """Yield the rows that were answered, and their answers: a whole batch, unless it had to be halved."""
    if computed.answers is not None:
        yield merged, computed.answers
        return
    for (work, start, stop), result in zip(parts, computed.results, strict=True):
        if not isinstance(result, EngineFailed):
            yield work.source[start:stop], result


def deliver(parts: Sequence[Part], results: Sequence[Result]) -> None:
    """Give each request its answers, once all its rows have them."""
    for (work, _, _), result in zip(parts, results, strict=True):
        if work.future.done():
            continue
        if isinstance(result, EngineFailed):
            work.future.set_exception(result)
        elif len(result) == work.stop - work.start:
            work.future.set_result(result)
        else:
            work.answered.append(result)
            if sum(map(len, work.answered)) == work.stop - work.start:
                work.future.set_result(np.concatenate(work.answered))


def merge(parts: Sequence[Part]) -> Encoded:
    """Return the parts' rows as one; what lies side by side in one source is not copied."""
    first, begin, end = parts[0]
    source = first.source
    pieces: list[Encoded] = []
    for work, start, stop in parts[1:]:
        if work.source is not source or start != end:
            pieces.append(source[begin:end])
            source, begin = work.source, start
        end = stop
    if not pieces:  # nearly always: all that arrived together, and nothing else
        return source if begin == 0 and end == len(source) else source[begin:end]
    pieces.append(source[begin:end])
    numbers = np.concatenate([piece.numbers for piece in pieces])
    return Encoded(numbers, np.concatenate([piece.codes for piece in pieces]))


def _split(answers: Answers, parts: Sequence[Part]) -> list[Answers]:
    results, start = [], 0
    for _, begin, stop in parts:
        end = start + stop - begin
        results.append(answers[start:end])
        start = end
    return results
