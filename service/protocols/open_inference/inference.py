"""Inference over HTTP: a question in JSON or raw tensors, its rows through the queue, tensors back."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import orjson

from ekiben.service.dataplane import Dataplane
from ekiben.service.http.body import BodyReader
from ekiben.service.http.messages import Request, Response
from ekiben.service.http.timeouts import read_timeout_s as read_header_timeout_s
from ekiben.service.prediction_ids import find_usable
from ekiben.service.protocols.open_inference.binary import CONTENT_TYPE, SIZE, length_header, read_length
from ekiben.service.protocols.open_inference.datatypes import write_raw
from ekiben.service.protocols.open_inference.decode import read_timeout_s
from ekiben.service.protocols.open_inference.encode import Output, RequestedOutput, Selection, to_list
from ekiben.service.protocols.open_inference.explanation import explanation_specs, pick_explained
from ekiben.service.protocols.open_inference.http_request import InferRequest, InferRequestReader
from ekiben.service.settings import Settings
from ekiben.service.threshold import NAME, choose_target


class Inference:
    """Answers inference requests; whether they name this model is for their route to check."""

    def __init__(self, dataplane: Dataplane, settings: Settings, protocol: str) -> None:
        self._dataplane = dataplane
        self._settings = settings
        self._protocol = protocol
        self._bodies = BodyReader(dataplane, settings)
        self._reader = InferRequestReader(dataplane)
        schema = dataplane.model.schema
        self._target = schema.target
        self._selection = Selection(schema.target)
        self._explained = Selection(schema.target, explanation_specs(schema))
        self._names = {"model_name": dataplane.model.name, "model_version": dataplane.model.version}

    async def answer(self, request: Request) -> Response:
        """Answer a request over HTTP."""
        timeout_s = read_header_timeout_s(request, self._settings)
        decode = partial(self.decode, request)
        rows, infer_request = self._bodies.take(request, decode) or await self._bodies.read(request, timeout_s, decode)
        return await self.answer_rows(request, rows, infer_request, timeout_s)

    def decode(self, request: Request, body: bytes, content: Any = None) -> tuple[Any, InferRequest]:
        """Return the rows of a body, whose JSON may be parsed already, and what it asks of them."""
        length = read_length(request.headers, body)
        columns, infer_request = (
            self._reader.read(body, length)
            if content is None or length is not None
            else (self._reader.read_content(content))
        )
        if infer_request.explain:
            return self._dataplane.explanations.prepare(columns, infer_request.explain), infer_request
        return columns, infer_request

    async def answer_rows(self, request: Request, rows: Any, infer_request: InferRequest, timeout_s: float) -> Response:
        """Answer rows that were read already."""
        left_s = request.left_s(read_timeout_s(infer_request.parameters, timeout_s))
        head = self._names if infer_request.id is None else {**self._names, "id": infer_request.id}
        requested, target = infer_request.outputs, None
        if request.query or NAME in infer_request.parameters:
            target = choose_target(self._target, request, infer_request.parameters)
        if infer_request.explain:
            ask = self._dataplane.explanations.explain
            explained = await ask(rows, left_s, self._protocol, request.wait_gone, infer_request.explain)
            return encode(head, pick_explained(self._explained, explained, requested, target), requested)
        request.own_id = find_usable(infer_request.id) or request.own_id
        prediction = await self._dataplane.predict(rows, left_s, self._protocol, request.wait_gone, request)
        return encode(head, self._selection.pick(prediction.answers, requested, target=target), requested)


def encode(head: Mapping[str, Any], outputs: Sequence[Output], requested: Sequence[RequestedOutput]) -> Response:
    """Return the answer: JSON, and after it what was asked for as binary data."""
    tensors, raw = [], []
    for output, wish in zip(outputs, requested, strict=True):
        tensor: dict[str, Any] = {"name": output.name, "datatype": output.datatype, "shape": output.shape}
        if output.parameters:
            tensor["parameters"] = output.parameters
        if wish.binary:
            content = write_raw(output.datatype, output.values)
            tensor["parameters"] = {**output.parameters, SIZE: len(content)}
            raw.append(content)
        else:
            tensor["data"] = to_list(output.values)
        tensors.append(tensor)
    content = orjson.dumps({**head, "outputs": tensors})
    if not raw:
        return Response(content)
    return Response(b"".join((content, *raw)), (length_header(content),), content_type=CONTENT_TYPE)
