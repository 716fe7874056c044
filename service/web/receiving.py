"""Reads the messages of calls: within the budget, unpacked, and from JSON if that is what they are."""

from ekiben.service.errors import BadRequest
from ekiben.service.grpc.record import ServerState
from ekiben.service.grpc.unpacking import take_bytes, unpack_message
from ekiben.service.http.messages import Request
from ekiben.service.offload import LARGE_BYTES, offload
from ekiben.service.web.dialect import Dialect, Given
from ekiben.service.web.json_messages import from_json


async def read_messages(
    state: ServerState, request: Request, dialect: Dialect, max_bytes: int, timeout_s: float
) -> list[Given]:
    """Return the messages of a request's body, as they came; `budget.give` of what it has `taken` must follow."""
    try:
        body = await request.read_body(dialect.limit_body(max_bytes), timeout_s, state.budget)
    except BadRequest as error:
        if error.status != 413:
            raise
        raise BadRequest(429, str(error), *error.headers) from None  # as gRPC has it: RESOURCE_EXHAUSTED
    if len(body) > LARGE_BYTES:
        return await offload(dialect.unwrap, request, body)
    return dialect.unwrap(request, body)


async def take_message(state: ServerState, dialect: Dialect, given: Given, path: str) -> bytes:
    """Return a message in protobuf, whose bytes are taken from the budget: `budget.give` must follow."""
    if not given.packed:
        take_bytes(state.budget, len(given.content))
        content = given.content
    else:
        content = await unpack_message(given.content, state.budget, state.settings.max_body_bytes)
    if not dialect.json:
        return content
    try:
        message = await from_json(path, content, state.max_values)
    finally:
        state.budget.give(len(content))
    take_bytes(state.budget, len(message))
    return message
