"""Codes of HTTP and of gRPC in the classes of HTTP's: a histogram of each code would be too many series."""

from ekiben.service.grpc.codes import Code

FAILED = frozenset(
    code.name
    for code in (
        Code.UNKNOWN,
        Code.INTERNAL,
        Code.DATA_LOSS,
        Code.UNAVAILABLE,
        Code.UNIMPLEMENTED,
        Code.DEADLINE_EXCEEDED,
    )
)  # what google.rpc.Code says HTTP's code from 500 on is for


def classify(code: int | str) -> str:
    """Return the class of a code, `2xx` to `5xx`."""
    if isinstance(code, int):
        return f"{code // 100}xx"
    if code == Code.OK.name:
        return "2xx"
    return "5xx" if code in FAILED else "4xx"
