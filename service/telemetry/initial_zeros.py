"""Counters that are there before the first is counted: of a series that begins with 1 Prometheus sees no increase."""

from collections.abc import Iterable, Iterator, Sequence

from ekiben.service.connections.rejections import PROTOCOL as ADMISSION
from ekiben.service.error_status import REJECTION_STATUS, ErrorResponse
from ekiben.service.http.front_door import PROTOCOL as FRONT_DOOR
from ekiben.service.protocols.protocol import Protocol
from ekiben.service.row_log.logs import is_logging
from ekiben.service.settings import Settings
from ekiben.service.sources.watch import NEW, REJECTED, UNCHANGED
from ekiben.service.telemetry.series import get_series

# What answers rows: the other codes that it may have are its callers' affair, and come when they come.
STATUSES = (400, 429, 500, 503, 504)
UNREAD = {ADMISSION: (400, 408, 429, 431), FRONT_DOOR: (401, 403)}  # what no protocol gets to see
RELOADS = ("served", "failed")
LOOKS = (UNCHANGED, NEW, REJECTED)  # at the registry; kinds of trouble besides
GRPC, WEB = "grpc", ("grpc_web", "connect")  # after a protocol's name; pages are expected where origins are set
LOST = ("waiting", "failed", "write")  # why the row log loses rows


def begin_at_zero(protocols: Iterable[Protocol], settings: Settings) -> None:
    """Make the counters that rates are taken of: each code that is to be expected, and each reason to reject."""
    series = get_series()
    expected = set(find_codes(protocols, (GRPC, *WEB) if settings.cors_origins else (GRPC,)))
    for label, code in expected | {(name, code) for name, codes in UNREAD.items() for code in codes}:
        series.requests.labels(label, code)
    for label in {ADMISSION, *(label for label, _ in expected)}:
        for rejection in REJECTION_STATUS:
            series.rejected.labels(label, rejection.reason)
    for result in RELOADS:
        series.reloads.labels(result)
    for result in LOOKS if settings.model_source else ():
        series.registry_looks.labels(result)
    for reason in LOST if is_logging(settings) else ():
        series.log_dropped.labels(reason)


def find_codes(protocols: Iterable[Protocol], ways: Sequence[str] = (GRPC,)) -> Iterator[tuple[str, int | str]]:
    """Yield the label of each protocol that answers rows with each code that it is expected to answer.

    `ways`: in which its gRPC methods are called.
    """
    for protocol in protocols:
        if any(route.operation and route.operation.rows for route in protocol.routes):
            yield from ((protocol.name, status) for status in (200, *STATUSES))
        if any(method.rows for methods in protocol.services.values() for method in methods.values()):
            codes = ("OK", *(ErrorResponse(status, "").code.name for status in STATUSES))
            yield from ((f"{protocol.name}_{way}", code) for way in ways for code in codes)
