"""A call by gRPC-Web or Connect as gRPC's methods see it."""

from collections.abc import Awaitable, Callable

from ekiben.service.auth import UNCERTIFIED
from ekiben.service.grpc.context import Metadata
from ekiben.service.grpc.notation import read_pairs
from ekiben.service.http.messages import Request, Scope
from ekiben.service.web.dialect import Dialect

Write = Callable[[bytes], Awaitable[None]]


class WebContext:
    """A call's head."""

    def __init__(self, scope: Scope, request: Request, dialect: Dialect) -> None:
        self._headers = scope["headers"]
        self._request = request
        self._dialect = dialect
        self.uncertified = UNCERTIFIED in scope.get("state", ())

    def metadata(self) -> Metadata:
        """Return the headers."""
        return [pair for name, value in self._headers for pair in read_pairs(name, value)]

    def time_left_s(self) -> float | None:
        """Return what the caller allows, of which the request may have waited for some already."""
        return self._dialect.read_timeout_s(self._request)


class WebStream(WebContext):
    """A call of several messages: what is asked has come, and answers are sent as they come."""

    one_a_turn = False  # all are here

    def __init__(self, scope: Scope, request: Request, dialect: Dialect, messages: list[bytes], write: Write) -> None:
        super().__init__(scope, request, dialect)
        self._messages = iter(messages)
        self._write = write

    async def read(self, timeout_s: float, reserve: bool) -> bytes | None:
        """Return the next message, None after the last."""
        return next(self._messages, None)

    async def write(self, message: bytes) -> None:
        """Send a message."""
        await self._write(message)

    def interrupt(self, error: Exception) -> None:
        """Do nothing: all that is asked has arrived, so it is answered, and then the stream ends."""
