"""A canary that runs in this process: who gets the candidate, and what became of their requests."""

from collections.abc import Callable
from typing import Protocol

from ekiben.contract.answers import Answers
from ekiben.contract.errors import InvalidInput
from ekiben.service.canary.choosing import Canary, find_group
from ekiben.service.canary.memory import AnswerMemory
from ekiben.service.canary.tally import TallyCounter
from ekiben.service.errors import BadRequest, CallerGone, NotReady

REQUEST_ID_HEADER = b"x-request-id"
FAULTLESS = (InvalidInput, BadRequest, CallerGone, NotReady)  # of neither version: the caller's, or the service ends


class KeyedCaller(Protocol):
    """A request over HTTP or a call over gRPC, as far as the choice needs it."""

    drawn: "Drawn | None"

    def read_header(self, name: bytes) -> bytes:
        """Return a header, or the metadata of that name; b"" if there is none."""


class Drawn:
    """One request that was given to one of the two versions."""

    __slots__ = ("_arm", "_group", "_run")

    def __init__(self, run: "Run", arm: int, group: int) -> None:
        self._run, self._arm, self._group = run, arm, group

    def note_answer(self, seconds: float, answers: Answers, prediction_id: bytes) -> None:
        """Count the answer."""
        self._run.counter.count_answer(self._arm, self._group, seconds, answers)
        self._run.memory.keep(prediction_id, self._arm, self._group, answers)

    def note_failure(self, error: BaseException) -> None:
        """Count a request without an answer, unless that is no version's fault."""
        if not isinstance(error, FAULTLESS):
            self._run.counter.count_failure(self._arm, self._group)


class Run:
    """One canary at one share, in one process."""

    def __init__(
        self, canary: Canary, header: bytes, counter: TallyCounter, memory: AnswerMemory, make_id: Callable[[], bytes]
    ) -> None:
        """`header`: what names the callers' keys; `make_id`: a key for a caller who has none, new for each request."""
        self.canary, self.counter, self.memory = canary, counter, memory
        self._header, self._make_id = header, make_id

    def choose(self, caller: KeyedCaller) -> bool:
        """Return whether the candidate answers this caller, who is counted from now on."""
        key = caller.read_header(self._header) or caller.read_header(REQUEST_ID_HEADER) or self._make_id()
        place = self.canary.place(key)
        chosen = self.canary.takes(place)
        caller.drawn = Drawn(self, int(chosen), find_group(place))
        return chosen
