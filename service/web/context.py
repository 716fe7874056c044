"""The head of a call by gRPC-Web or Connect as gRPC's methods see it."""

from ekiben.service.auth import UNCERTIFIED
from ekiben.service.grpc.context import Metadata
from ekiben.service.grpc.notation import read_pairs
from ekiben.service.http.messages import Request, Scope
from ekiben.service.web.dialect import Dialect


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
