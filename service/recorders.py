"""What a dataplane gives its answers to, besides the callers."""

from collections.abc import Sequence
from typing import Protocol

from ekiben.contract.answers import Answers
from ekiben.contract.columns import Rows
from ekiben.service.batching.work import Work
from ekiben.service.row_log.kept_rows import Kept


class RowRecorder(Protocol):
    """Is given what was answered, as it came."""

    def keep(self, works: Sequence[Work], rows: Rows) -> None:
        """Keep rows of requests that were encoded together: `kept` of those that are to be recorded."""

    def pick_large(self, rows: Rows) -> Kept | None:
        """Return the rows of a large request to keep once it is answered; called off the event loop."""

    def record(self, prediction_id: bytes, kept: Kept, answers: Answers) -> None:
        """Take what was kept of a request, once it is answered."""


class ShadowRecorder(Protocol):
    """Is given what was answered, encoded, for a challenger to answer too."""

    def record(self, prediction_id: bytes, work: Work, answers: Answers) -> None:
        """Take the rows of a request, by reference, once it is answered."""
