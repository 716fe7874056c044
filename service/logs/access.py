"""One line for a request that was answered: a sample of those that went well, of the others what a disk bears.

The service's own failures are all there up to ERRORS_PER_S, callers' faults up to FAULTS_PER_S: anybody can make any
number of those. What is left out beyond that is counted, and said.
"""

import asyncio
import logging
import random
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from ekiben.service.logs.bounds import Bucket

logger = logging.getLogger("bentoml.service.access")
ERRORS_PER_S, ERRORS_AT_ONCE = 10, 100  # 300 MB a day at the worst
FAULTS_PER_S, FAULTS_AT_ONCE = 1, 20
SAY_LEFT_OUT_S = 10.0
MAX_PATH_BYTES = 1024
MAX_TRACE_BYTES = 256  # of a header that should have 55
TRACEPARENT = re.compile(rb"[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}.*")


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request says of itself; any byte may be in it."""

    protocol: str
    method: str
    path: bytes
    request_id: bytes
    traceparent: bytes
    trace: tuple[str, str] | None = None  # ids of the trace and of our span in it, if we make one

    def to_fields(self) -> dict[str, object]:
        """Return the fields of it that there are."""
        trace = self.trace or read_trace(self.traceparent)
        said = {
            "request_id": escape(self.request_id),
            "trace_id": trace[0],
            "span_id": trace[1],
            "protocol": self.protocol,
            "method": self.method,
            "path": escape(self.path[:MAX_PATH_BYTES]),
        }
        return {name: value for name, value in said.items() if value}


class AccessLog:
    """Decides which requests get a line; belongs to one event loop."""

    def __init__(self, sample: float) -> None:
        self._sample = sample
        self._errors = Bucket(ERRORS_PER_S, ERRORS_AT_ONCE)
        self._faults = Bucket(FAULTS_PER_S, FAULTS_AT_ONCE)
        self._told: asyncio.TimerHandle | None = None

    def wants(self, status: int) -> bool:
        """Return whether a request that was answered with this status of HTTP gets a line."""
        if self._sample and random.random() < self._sample:
            return True
        if status < 400:
            return False
        if (self._errors if status >= 500 else self._faults).take():
            return True
        if self._told is None:
            self._told = asyncio.get_running_loop().call_later(SAY_LEFT_OUT_S, self._say_left_out)
        return False

    def write(self, asked: Asked, status: int, seconds: float, answered: Mapping[str, object], code: str = "") -> None:
        """Write the line; `code`: gRPC's, `answered`: what else is known."""
        fields = asked.to_fields() | {"status": status} | ({"grpc_status": code} if code else {})
        fields |= {"duration_ms": round(1000 * seconds, 3)} | {name: value for name, value in answered.items() if value}
        path, request_id = escape(asked.path[:MAX_PATH_BYTES]), escape(asked.request_id) or "-"
        trace = escape(asked.traceparent[:MAX_TRACE_BYTES]) or "-"
        said = asked.method, path, code or status, 1000 * seconds, request_id, trace
        short = f"{asked.method} {path} {code or status}"
        level = logging.ERROR if status >= 500 else logging.INFO
        extra = {"fields": fields, "short": short}
        logger.log(level, "%s %s %s %.2f ms id=%s trace=%s", *said, extra=extra)

    def _say_left_out(self) -> None:
        self._told = None
        errors, faults = self._errors.take_left_out(), self._faults.take_left_out()
        sentence = "%d failed requests and %d that callers got wrong were left out of the log in %g s"
        fields = {"left_out_errors": errors, "left_out_faults": faults}
        logger.warning(sentence, errors, faults, SAY_LEFT_OUT_S, extra={"fields": fields})


@cache
def share_access_log(sample: float) -> AccessLog:
    """Return the access log of this process: all protocols together are bounded, over HTTP and gRPC."""
    return AccessLog(sample)


def escape(given: bytes) -> str:
    """Return bytes as a line of a log may have them: a line break in them would forge another line."""
    return repr(given)[2:-1]


def read_trace(traceparent: bytes) -> tuple[str, str]:
    """Return the ids of the trace and of the caller's span in it, "" if the header is not as W3C has it."""
    found = TRACEPARENT.fullmatch(traceparent[:MAX_TRACE_BYTES])
    return (found[1].decode(), found[2].decode()) if found else ("", "")
