"""Why a request gets no answer; each protocol reports it in its own shape."""


def clear_tracebacks(error: BaseException) -> None:
    """Drop the tracebacks of an error and of those it came from, once its caller is answered.

    A traceback holds the frames that the error passed, and so the request's rows; one of these frames leads back to
    the error, by way of the future that carried it. Such a cycle lives until the garbage collector looks for it.
    """
    chain = [error]
    while chain:
        link = chain.pop()
        if link.__traceback__ is not None:
            link.__traceback__ = None
            chain += [other for other in (link.__context__, link.__cause__) if other is not None]


class BadRequest(Exception):
    """A request rejected before its rows are looked at; the text is for the caller.

    `status` is HTTP's, from which gRPC's follows; `headers` are HTTP's too.
    """

    def __init__(self, status: int, message: str, *headers: tuple[bytes, bytes]) -> None:
        super().__init__(message)
        self.status = status
        self.headers = headers


class RequestRejected(Exception):
    """A request the service understood and will not answer; the text is for the caller."""

    reason: str  # the label in `ekiben_inference_rejected_total`


class Overloaded(RequestRejected):
    """The queue is full, or so long that the answer would come after the deadline."""

    reason = "overloaded"

    def __init__(self, retry_after_s: int) -> None:
        super().__init__(f"too busy to answer before the deadline: try again in {retry_after_s} s")
        self.retry_after_s = retry_after_s


class DeadlineExceeded(RequestRejected):
    """The deadline passed before the answer was computed."""

    reason = "expired"

    def __init__(self) -> None:
        super().__init__("the deadline passed before the answer was computed: allow more time or send fewer rows")


class NotReady(RequestRejected):
    """The service is stopping and takes no new work."""

    reason = "not_ready"

    def __init__(self) -> None:
        super().__init__("the service is shutting down: send the request to another replica")


class EngineFailed(RequestRejected):
    """The network could not compute these rows; the log says why."""

    reason = "failed"

    def __init__(self) -> None:
        super().__init__("the model failed on these rows: the service's log says why")


class CallerGone(RequestRejected):
    """The caller disconnected; nobody will read the answer."""

    reason = "cancelled"

    def __init__(self) -> None:
        super().__init__("the caller disconnected before the answer was computed")
