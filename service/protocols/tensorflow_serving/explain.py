"""KServe V1's explain call, beside TensorFlow Serving's predict: the same rows, predictions and why they are so.

Neither has a form for an explanation: ours is that of `/explain`. Vertex AI has one, and a path of its own.
"""

from collections.abc import Awaitable, Callable

from ekiben.contract.schema import Target
from ekiben.service.batching.coalescer import PreparedRows
from ekiben.service.dataplane import Dataplane
from ekiben.service.explaining.explanations_json import write_explanations
from ekiben.service.explaining.queue import Explained
from ekiben.service.explaining.wishes import read_pairs, read_query, read_top
from ekiben.service.http.body import BodyReader
from ekiben.service.http.messages import Request
from ekiben.service.http.timeouts import read_timeout_s
from ekiben.service.protocols.tensorflow_serving.predict import ROWS, build_decode, encode
from ekiben.service.settings import Settings

Ask = Callable[[Request], Awaitable[tuple[Explained, Target]]]
Answer = Callable[[Request], Awaitable[bytes]]


def build_asking(dataplane: Dataplane, settings: Settings, protocol: str) -> Ask:
    """Return the function from a request to its rows' explanations, and to the target that it wants."""
    decode = build_decode(dataplane)
    bodies, explanations = BodyReader(dataplane, settings), dataplane.explanations

    def prepare(request: Request, body: bytes, pairs: int) -> tuple[PreparedRows, Target]:
        rows, wanted = decode(request, body)
        return explanations.prepare(rows, pairs), wanted.target

    async def ask(request: Request) -> tuple[Explained, Target]:
        pairs, timeout_s = read_pairs(read_query(request.query)), read_timeout_s(request, settings)
        rows, target = await bodies.read(request, timeout_s, lambda body: prepare(request, body, pairs))
        left_s = request.left_s(timeout_s)
        return await explanations.explain(rows, left_s, protocol, request.wait_gone, pairs), target

    return ask


def build_explain(dataplane: Dataplane, settings: Settings, protocol: str) -> Answer:
    """Return the function from a request to its answer."""
    ask, schema = build_asking(dataplane, settings, protocol), dataplane.model.schema

    async def explain(request: Request) -> bytes:
        top = read_top(read_query(request.query))
        explained, target = await ask(request)
        explanations = await write_explanations(schema, explained, target, top)
        return encode(target, explained.answers, ROWS, explanations=explanations)

    return explain
