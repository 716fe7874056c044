"""What a call gets whose method nobody serves: UNIMPLEMENTED, with what there is instead."""

from collections.abc import Iterable, Mapping

from ekiben.contract.validation import shorten, suggest
from ekiben.service.errors import BadRequest
from ekiben.service.grpc.context import Context, Status
from ekiben.service.grpc.failing import describe_call, to_status
from ekiben.service.grpc.record import ServerState, check_caller


class UnservedMethods:
    """Rejects calls of all methods that are not served."""

    def __init__(self, state: ServerState, services: Mapping[str, Iterable[str]], reasons: Mapping[str, str]) -> None:
        """Take the methods by service, and what to do instead by `service/method` of those that clients know."""
        self._state = state
        self._services = {name: tuple(methods) for name, methods in services.items()}
        self._reasons = reasons

    def reject(self, path: str, context: Context) -> Status:
        """Return the status of a call; no message is looked at."""
        try:
            check_caller(self._state.authenticator, context)
            raise BadRequest(501, self.explain(path.removeprefix("/")))
        except BadRequest as error:
            return to_status(error, describe_call(path))

    def explain(self, path: str) -> str:
        """Return the sentence for a `service/method`."""
        service, _, method = path.rpartition("/")
        sentence = f"{shorten(path)} is not served here"
        if reason := self._reasons.get(path):
            return f"{sentence}: {reason}"
        methods = self._services.get(service)
        if methods is None:
            return sentence + (suggest(service, list(self._services)) or f": there are {', '.join(self._services)}")
        return sentence + (suggest(method, methods) or f": there are {', '.join(methods)}")
