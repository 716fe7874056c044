"""A request whose head is known: what the head says was read when it was first seen, and the body is there."""

import time
from collections.abc import Callable, Mapping
from typing import Any

from ekiben.service.connections.byte_budget import ByteBudget
from ekiben.service.http.messages import Receive, Request, Response, Scope, check_size

LENGTH = b"content-length"  # the only header that requests with the same head may differ in
OWN_FIELDS = ("waited_s", "_began", "_receive")  # of each request; all others are its head's


class KnownRequest(Request):
    """One of many requests with the same head."""

    def __init__(
        self,
        fields: Mapping[str, Any],
        length: bytes,
        body: bytes,
        waited_s: float,
        send: Callable[[Request, Response], None],
        receive: Receive,
    ) -> None:
        """`fields`: what the head says, as `list_fields` returns it; `receive` waits until the caller is gone.

        `length`: of the body, as the head has it: heads that are the same but for that are one.
        """
        self.__dict__.update(fields)
        self.waited_s = waited_s
        self._began = time.monotonic() - waited_s
        self._length = length
        self.body: bytes = body
        self.send = send  # the answer
        self._receive = receive

    def complete_headers(self) -> None:
        """Let the headers have the one that is each request's own; it costs more than it is asked for."""
        self.headers = {**self.headers, LENGTH: self._length}

    def read_header(self, name: bytes) -> bytes:
        return self._length if name == LENGTH else super().read_header(name)

    async def read_body(self, max_bytes: int, timeout_s: float, budget: ByteBudget) -> bytes:
        check_size(len(self.body), max_bytes)
        return self.body


def list_fields(scope: Scope) -> dict[str, Any]:
    """Return what a request's head says."""

    async def receive() -> Any:
        raise NotImplementedError

    fields = {name: value for name, value in vars(Request(scope, receive)).items() if name not in OWN_FIELDS}
    return fields | {"headers": {name: value for name, value in fields["headers"].items() if name != LENGTH}}
