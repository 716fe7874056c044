"""What a call gets whose method nobody serves: UNIMPLEMENTED, with what there is instead."""

from collections.abc import Mapping
from typing import Any

import grpc

from ekiben.contract.validation import shorten, suggest
from ekiben.service.errors import BadRequest
from ekiben.service.grpc.call import ServerState, check_token, report
from ekiben.service.logs.access import Asked


class UnservedMethods(grpc.GenericRpcHandler):  # type: ignore[type-arg]
    """Comes after all that are served."""

    def __init__(
        self, state: ServerState, services: Mapping[str, Mapping[str, Any]], reasons: Mapping[str, str]
    ) -> None:
        """Take the methods by service, and what to do instead by `service/method` of those that clients know."""
        self._state = state
        self._services = {name: tuple(methods) for name, methods in services.items()}
        self._reasons = reasons

    def service(self, handler_call_details: Any) -> Any:
        """Return the handler of a call; it looks at no message."""
        path = handler_call_details.method

        async def handle(messages: Any, context: Any) -> bytes:
            try:
                check_token(self._state.authenticator, context)
                raise BadRequest(501, self.explain(path.removeprefix("/")))
            except BadRequest as error:
                report(context, error, lambda: Asked("", "gRPC", path.encode(), b"", b""))
            return b""

        return grpc.stream_unary_rpc_method_handler(handle)

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
