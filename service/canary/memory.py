"""Remembers answers by their ids until labels come for them, and adds up what each version has lost.

Labels may come hours later, when more was answered than can be remembered. So what is kept is an even sample of all
answers since the share last changed: ids whose hash lies below a limit, which is halved when there are too many, or
too many values in them.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import orjson

from ekiben.contract.answers import Answers
from ekiben.contract.schema import Target
from ekiben.service.canary.choosing import GROUPS
from ekiben.service.canary.loss import Losses, measure_losses
from ekiben.service.canary.tally import ARMS
from ekiben.service.row_ids import split_row_id

MAX_KEPT, MAX_VALUES = 2**15, 2**21  # requests: 10 MB; the values of their answers: 8 MiB
MAX_ROWS = 100  # of a request; the answers to larger ones aren't kept
ALL = 2**32


@dataclass(slots=True)
class _Kept:
    """The answers to one request; those that had a label are NaN."""

    place: int
    arm: int
    group: int
    answers: Answers
    labelled: int = 0
    loss: float = 0.0  # the mean of those that had a label

    def add_loss(self, loss: float) -> tuple[float, float, float]:
        """Take a row's loss; return what it adds to the requests with labels, their losses and the squares."""
        first, before = not self.labelled, self.loss
        self.labelled += 1
        self.loss += (loss - before) / self.labelled
        return float(first), self.loss - before, self.loss**2 - before**2


class AnswerMemory:
    """The answers of one process to requests of one canary at one share."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._classes = {orjson.dumps(one).decode(): float(index) for index, one in enumerate(target.classes)}
        self._kept: dict[bytes, _Kept] = {}  # by id
        self._values = 0
        self._limit = ALL
        self.losses: Losses = np.zeros((ARMS, GROUPS, 3))

    def keep(self, prediction_id: bytes, arm: int, group: int, answers: Answers) -> None:
        """Keep the answers to one request, unless they are left out of the sample."""
        place = hash(prediction_id) % ALL
        if place >= self._limit or len(answers) > MAX_ROWS:
            return
        before = self._kept.get(prediction_id)  # an id of a caller's own may come again
        self._values += answers.size - (before.answers.size if before else 0)
        self._kept[prediction_id] = _Kept(place, arm, group, answers.copy())  # a view would keep its whole batch
        while len(self._kept) > MAX_KEPT or self._values > MAX_VALUES:
            self._limit //= 2
            self._kept = {key: one for key, one in self._kept.items() if one.place < self._limit}
            self._values = sum(one.answers.size for one in self._kept.values())

    def add_labels(self, labels: Iterable[tuple[str, str | float]]) -> None:
        """Take labels by their rows' ids, as they are kept: classes as JSON, or numbers; each row's first counts."""
        for row_id, label in labels:
            position = label if isinstance(label, float) else self._classes.get(label)
            found = self._find(row_id.encode())
            if found is None or position is None or np.isnan(found[0].answers[found[1], 0]):
                continue
            kept, row = found
            loss = float(measure_losses(self._target, kept.answers[row : row + 1], np.array([position]))[0])
            kept.answers[row] = np.nan
            self.losses[kept.arm, kept.group] += kept.add_loss(loss)

    def _find(self, row_id: bytes) -> tuple[_Kept, int] | None:
        """Return the request of a row, and which of its rows it is; None if it isn't kept."""
        kept = self._kept.get(row_id)
        if kept is not None and len(kept.answers) == 1:
            return kept, 0
        request, row = split_row_id(row_id) or (b"", 0)
        kept = self._kept.get(request)
        return (kept, row) if kept is not None and len(kept.answers) > max(row, 1) else None
