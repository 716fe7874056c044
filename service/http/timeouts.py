"""How long a request over HTTP may take."""

from ekiben.service.errors import BadRequest, DeadlineExceeded
from ekiben.service.http.messages import Request
from ekiben.service.settings import Settings

TIMEOUT_HEADER = b"x-request-timeout-ms"
MAX_TIMEOUT_MS = 86_400_000  # a day


def read_timeout_s(request: Request, settings: Settings) -> float:
    """Return the seconds since its arrival within which a request must be answered.

    The caller says so with TIMEOUT_HEADER, or the settings do. Raises DeadlineExceeded if they have passed.
    """
    text = request.headers.get(TIMEOUT_HEADER)
    timeout_s = settings.request_timeout_s if text is None else min(_read_header_s(text), settings.max_timeout_s)
    if request.waited_s >= timeout_s:
        raise DeadlineExceeded
    return timeout_s


def _read_header_s(text: bytes) -> float:
    try:
        milliseconds = float(text)
    except ValueError:
        milliseconds = -1.0
    if not 0 < milliseconds < MAX_TIMEOUT_MS:
        shown = text.decode("latin-1")
        wanted = f"expected milliseconds above 0 and below {MAX_TIMEOUT_MS}"
        raise BadRequest(400, f"{TIMEOUT_HEADER.decode()}: {wanted}, got {shown!r}")
    return milliseconds / 1000
