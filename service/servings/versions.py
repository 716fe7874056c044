"""The versions of one model: which one answers, and what is held beside it."""

import time
from collections.abc import Callable, Iterator
from enum import Enum

from ekiben.contract.validation import show
from ekiben.model.package import CHAMPION
from ekiben.service.canary.run import Run
from ekiben.service.errors import BadRequest
from ekiben.service.http.messages import Request
from ekiben.service.protocols.protocol import Call
from ekiben.service.servings.serving import Serving


class Origin(Enum):
    """Where a model came from."""

    NAMED = "MODEL_NAME"  # it stays
    STORE = "store"
    FOLDER = "folder"  # somebody named, under a name of their own


class Versions:
    """The versions of one model: the one that answers whoever names none, and others that are held beside it."""

    def __init__(self, current: Serving, origin: Origin = Origin.NAMED) -> None:
        self.current = current
        self.origin = origin
        self._since = time.time()
        self.held: dict[str, Serving] = {}
        self.newest: str | None = current.model.version  # of the store, as it was last looked at; None: not known
        self.run: Run | None = None  # a canary, which chooses who is answered by a version that is held
        self.replaced: Callable[[str], None] = lambda version: None  # is called with the version that answers now

    @property
    def name(self) -> str:
        """The model's."""
        return self.current.model.name

    @property
    def last_used(self) -> float:
        """When it answered last, or else when it began to, in seconds since 1970."""
        return max([self._since, *[one.dataplane.last_used for one in self]])

    @property
    def has_canary(self) -> bool:
        """Whether callers are divided, or will be once the version that is held has been agreed on."""
        return self.run is not None or bool(self.held)

    def __iter__(self) -> Iterator[Serving]:
        yield self.current
        yield from self.held.values()

    def pick(self, caller: Request | Call | None) -> Serving:
        """Return the version that answers a caller who names none; only one with rows is given, for a canary."""
        run = self.run
        if run is None or caller is None or not run.choose(caller):
            return self.current
        return self.held.get(run.canary.candidate, self.current)

    def find(self, version: str) -> Serving:
        """Return the version of that number or alias; raise BadRequest if it is not held."""
        if version in (self.current.model.version, CHAMPION):
            return self.current
        if version in self.held:
            return self.held[version]
        others = "".join(f", {number}" for number in self.held)
        name, served = self.current.model.name, self.current.model.version
        are = "are" if others else "is"
        sentence = f"version {show(version)} of `{name}` is not served here: {served} ({CHAMPION}){others} {are}"
        raise BadRequest(404, sentence)
