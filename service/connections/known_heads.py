"""Heads that were seen before, byte for byte but for the length of the body, and what is known by them.

Callers send the same head over and over: what its parser, the token's check, the router and the protocol make of it
is known after the first time. Only the digits of its Content-Length are left out of what is compared, so that rows of
other lengths have the same head; they are a whole line's value there, and the length is compared with what came.

The table is bounded, and nobody gets into it cheaply: a head is learnt when it comes for the second time, which only
its hash remembers until then, and was answered with 200. So ids that differ in each request, and the heads of callers
without the token, leave nothing. In a full table a head takes the place of one that nobody has used in a while, and
PAUSE_S after the last one at the earliest: what is used once in MAX_HEADS * PAUSE_S is never pushed out.
"""

import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ekiben.service.auth import Authenticator
from ekiben.service.connections.answer_heads import AnswerHeads
from ekiben.service.connections.body_frame import BLANK_LINE
from ekiben.service.connections.plain_post import MAX_HEAD, PLAIN_POST
from ekiben.service.offload import LARGE_BYTES

LEARN = "ekiben.learn"  # in the scope of a request whose head may become known: takes what is to be known by it
MAX_HEADS = 256  # 1 MiB of heads at the most, and what they say
HASHES = 4096  # of heads that came once
PAUSE_S = 0.1
LENGTH, MAX_DIGITS = b"ength: ", 10  # as nearly all write it; whatever comes before it is compared
MAX_LENGTHS = 2  # that are looked at
NOTHING = b"", b"", 0


@dataclass(slots=True, eq=False)
class KnownHead:
    """What is known by a head."""

    answer: Callable[[Any, Mapping[str, Any]], Coroutine[Any, Any, None]]
    scope: Mapping[str, Any]  # that all its requests share
    fields: Mapping[str, Any]  # of each request
    authorizations: Sequence[bytes]
    marks: Sequence[tuple[bytes, bytes]] = ()  # headers of each answer, for the pages of other origins
    used: bool = True  # since its place was last wanted


class KnownHeads:
    """The heads that are known; belongs to one event loop."""

    def __init__(self, authenticator: Authenticator) -> None:
        self._authenticator = authenticator
        self._heads: dict[bytes, KnownHead | None] = {}  # None: it comes often, and is not to be known
        self._once = [0] * HASHES
        self.answers = AnswerHeads()  # to all requests
        self._next_at = 0.0  # a head may take another's place

    def find(self, key: bytes, scheme: str | None) -> KnownHead | None:
        """Return what is known by a head, if its caller still has a valid token."""
        known = self._heads.get(key)
        if known is None or known.scope["scheme"] != scheme:
            return None
        if self._authenticator.required and not self._authenticator.accepts(known.authorizations):
            return None
        known.used = True
        return known

    def is_wanted(self, key: bytes) -> bool:
        """Return whether a head that isn't known came before, and is none of those that are not to be known."""
        hashed = hash(key)
        if self._once[hashed % HASHES] == hashed:
            return key not in self._heads
        self._once[hashed % HASHES] = hashed
        return False

    def learn(self, key: bytes, known: KnownHead | None) -> None:
        """Remember what is known by a head, if there is room."""
        if key not in self._heads and (len(self._heads) < MAX_HEADS or self._make_room()):
            self._heads[key] = known

    def _make_room(self) -> bool:
        """Give up the head that was looked at longest ago, unless it was used since."""
        now = time.monotonic()
        if now < self._next_at:
            return False
        self._next_at = now + PAUSE_S
        key = next(iter(self._heads))
        known = self._heads.pop(key)
        if known is None or not known.used:
            return True
        known.used = False
        self._heads[key] = known
        return False


def cut_length(data: bytes) -> tuple[bytes, bytes, int]:
    """Return the head without the digits of its length, these, and where the body begins; b"" unless all is there.

    It is cut at the last LENGTH, or the one before if that has another number, as OIP's Inference-Header-Content-Length
    does. In what is left only the LENGTH that was cut has no digits, of those from there on: so two heads of which the
    same is left were cut at the same place.
    """
    end = data.find(BLANK_LINE, 0, MAX_HEAD) + 4
    size, before = len(data) - end, end
    if end < 4 or not 0 < size <= LARGE_BYTES:
        return NOTHING
    for _ in range(MAX_LENGTHS):
        at = data.rfind(LENGTH, 0, before)
        start = at + len(LENGTH)
        stop = data.find(b"\r", start, end)
        digits = data[start:stop]
        if at < 0 or not digits.isdigit() or len(digits) > MAX_DIGITS:
            return NOTHING
        if int(digits) == size:
            return data[:start] + data[stop:end], digits, end
        before = at
    return NOTHING


def is_plain(key: bytes, data: bytes, end: int) -> bool:
    """Return whether the head that ends there is a plain request's, whose length stands where `cut_length` cut."""
    matched = PLAIN_POST.fullmatch(data, 0, end) if data.startswith(b"POST ") else None
    return matched is not None and data[: matched.start(1)] + data[matched.end(1) : end] == key
