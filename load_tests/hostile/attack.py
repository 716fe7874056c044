"""What an attack is: whom it meets, what it sends, and what may come back."""

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from ekiben.load_tests.requests.http_dialects import RequestFormat
from ekiben.load_tests.requests.request_case import RequestCase
from ekiben.load_tests.requests.service_under_test import Source

REJECTED = frozenset({"400", "413", "415", "429"})
LATE = frozenset({"200", "408", "429", "504", "closed"})  # a reset may overtake the answer to a body half sent
CLOSED = "closed"  # without an answer
NO_ANSWER = "no answer"  # within the time, on a connection that stays
MARK = "hidden-"  # begins the id of a request that no honest server sees


@dataclass(frozen=True)
class AttackTarget:
    """The service, as an attack meets it."""

    address: tuple[str, int]
    grpc_port: int
    source: Source
    seconds: float  # that an attack may go on sending
    share: float  # of its full size

    def times(self, count: int) -> int:
        """Return how often something is done that a full attack does `count` times."""
        return max(1, round(self.share * count))

    def ask(self, request_format: RequestFormat, rows: int) -> RequestCase:
        """Return a question of that many good rows."""
        return self.source.ask(request_format, rows)


@dataclass
class Traffic:
    """What an attack sent and got."""

    sent: int = 0  # bytes
    answers: Counter[str] = field(default_factory=Counter)  # by HTTP status, gRPC code or CLOSED
    hidden: Counter[str] = field(default_factory=Counter)  # answers to requests that were hidden in others
    latest: float = 0.0  # seconds that the slowest answer took

    @property
    def shown(self) -> str:
        """The answers, most often first."""
        return ", ".join(f"{count:,} × {answer}" for answer, count in self.answers.most_common()) or "none"


Run = Callable[[Traffic], Awaitable[None]]


@dataclass(frozen=True)
class Attack:
    """One way to do harm; `prepare` writes its bytes before the clock starts."""

    name: str
    about: str
    prepare: Callable[[AttackTarget], Run]
    allowed: frozenset[str]  # answers
    settings: Mapping[str, str] = field(default_factory=dict)  # of the service
    files: int = 0  # that the service may open; 0: as many as it likes
    crowded: bool = False  # honest load that others may be rejected for: 429 is not an error
    forged: Sequence[str] = ()  # what no line of the log may begin with or hold
