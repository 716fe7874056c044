"""A request for predictions, from its body's rows to its answer."""

import asyncio
import os
from dataclasses import dataclass
from functools import partial
from typing import Any

import orjson

from ekiben.contract.answers import to_columns, to_predictions
from ekiben.contract.columns import BLOCK_ROWS, Rows
from ekiben.contract.schema import Target
from ekiben.service.connections.rejections import RETRY_AFTER_S
from ekiben.service.dataplane import Dataplane, Prediction
from ekiben.service.errors import BadRequest, Overloaded
from ekiben.service.http.body import BodyReader
from ekiben.service.http.json_parsing import nan_to_null, parse_json
from ekiben.service.http.messages import Request, Response
from ekiben.service.http.timeouts import read_timeout_s
from ekiben.service.lifecycle.resource_limits import read_limits
from ekiben.service.offload import offload
from ekiben.service.protocols.invocations.csv_form import CsvReader, write_csv
from ekiben.service.protocols.invocations.external_function import (
    DATA,
    Numbers,
    is_external_function,
    number_predictions,
    take_numbers,
)
from ekiben.service.protocols.invocations.inference_id import INFERENCE_ID_HEADER, read_inference_id
from ekiben.service.protocols.invocations.json_forms import JsonReader, is_open_inference
from ekiben.service.protocols.invocations.json_lines import read_lines, write_lines
from ekiben.service.protocols.invocations.media import (
    CSV,
    JSON,
    LINES,
    LINES_NAMES,
    PARQUET,
    READ,
    UNNAMED,
    read_accept,
    read_content_type,
)
from ekiben.service.protocols.invocations.parquet_form import ParquetReader
from ekiben.service.protocols.open_inference.http_request import InferRequest
from ekiben.service.protocols.open_inference.inference import Inference
from ekiben.service.settings import Settings
from ekiben.service.threshold import choose_target


@dataclass(slots=True)
class Wanted:
    """What a body says besides its rows."""

    infer_request: InferRequest | None = None  # of tensors, which tensors answer
    numbers: Numbers | None = None  # Snowflake's, which its answer repeats
    bare: bool = False  # a list without an object around it, which such a list answers
    params: Any = None  # MLflow's


NOTHING = Wanted()


class Invocations:
    """Answers requests for predictions."""

    def __init__(self, dataplane: Dataplane, settings: Settings, protocol: str) -> None:
        self._dataplane = dataplane
        self._settings = settings
        self._protocol = protocol
        schema, check_count, max_rows = dataplane.model.schema, dataplane.check_count, settings.max_request_rows
        self._check_count = check_count
        self._target = schema.target
        self._json = JsonReader(schema, check_count)
        self._csv = CsvReader(schema, max_rows, check_count)
        self._bodies = BodyReader(dataplane, settings)
        self._parquet = ParquetReader(
            schema, max_rows, settings.max_body_bytes, check_count, read_limits(), settings.workers
        )
        self._inference = Inference(dataplane, settings, protocol)
        self._accept_by_default = os.environ.get("SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT") or JSON

    async def answer(self, request: Request) -> bytes | Response:
        """Answer rows with predictions, and tensors with tensors."""
        headers = request.headers
        request.own_id = read_inference_id(headers.get(INFERENCE_ID_HEADER)) or request.own_id
        kind, header = read_content_type(headers.get(b"content-type"))
        accepted = read_accept(headers.get(b"accept"), self._accept_by_default)
        timeout_s = read_timeout_s(request, self._settings)
        if kind == PARQUET:
            rows, wanted = await self._read_parquet(request, timeout_s)
        else:
            decode = partial(self._decode, request, kind, header)
            rows, wanted = self._bodies.take(request, decode) or await self._bodies.read(request, timeout_s, decode)
        if wanted.infer_request is not None:
            return await self._inference.answer_rows(request, rows, wanted.infer_request, timeout_s)
        left_s, target = request.left_s(timeout_s), self._target
        if request.query or wanted.params:
            target = choose_target(target, request, wanted.params)
        prediction = await self._dataplane.predict(rows, left_s, self._protocol, request.wait_gone, request)
        return encode(target, prediction, accepted, wanted)

    def _decode(self, request: Request, kind: str, header: bool | None, body: bytes) -> tuple[Rows, Wanted]:
        """Return the rows, and what is said besides."""
        rows: Rows
        wanted = NOTHING
        if kind == CSV:
            rows = self._csv.read(body, header)
            if not rows:
                raise BadRequest(400, "the CSV body has only a line of names: send a line of values for each row")
        elif kind == LINES:
            rows = self._json.read_list(read_lines(body, self._check_count))
        else:
            content = parse_body(body, kind)
            if is_open_inference(content):
                rows, infer_request = self._inference.decode(request, body, content)
                return rows, Wanted(infer_request)
            rows, wanted = self._read_json(content)
        rows, request.ignored = self._dataplane.fields.leave_out(rows)
        return rows, wanted

    def _read_json(self, content: Any) -> tuple[Rows, Wanted]:
        if isinstance(content, list):
            if not content:
                raise BadRequest(400, "the body is an empty list: send at least one row in it")
            return self._json.read_list(content), Wanted(bare=True)
        if is_external_function(content):
            numbers, rows = take_numbers(content[DATA])
            return self._json.read_list(rows), Wanted(numbers=numbers)
        params = content.get("params") if isinstance(content, dict) else None
        return self._json.read(content), Wanted(params=params) if params else NOTHING

    async def _read_parquet(self, request: Request, timeout_s: float) -> tuple[Any, Wanted]:
        """Return the rows that another process reads, and what is said besides."""
        body, _ = await self._bodies.read(request, timeout_s, lambda body: (body, None))
        budget = self._dataplane.budget
        if not budget.take(len(body)):
            raise Overloaded(RETRY_AFTER_S)
        try:
            reading = self._parquet.read(body, request.left_s(timeout_s), request.wait_gone)
            # In a task: its timeouts need one, and a request whose head is known has none.
            rows, request.ignored = await asyncio.ensure_future(reading)
        finally:
            budget.give(len(body))
        if not rows:
            raise BadRequest(400, "the Parquet body has no rows: send at least one")
        if len(rows) <= BLOCK_ROWS:
            return rows, NOTHING
        return await offload(self._dataplane.prepare, rows, lambda: request.left_s(timeout_s)), NOTHING


def encode(target: Target, prediction: Prediction, accepted: str, wanted: Wanted) -> bytes | Response:
    """Return the answer in the form that is accepted."""
    if accepted == JSON and wanted is NOTHING:
        return orjson.dumps({"predictions": to_predictions(target, prediction.answers)})
    if accepted == CSV and wanted.numbers is None:
        return Response(write_csv(to_columns(target, prediction.answers)), content_type=CSV.encode())
    predictions = to_predictions(target, prediction.answers)
    if wanted.numbers is not None:
        return Response(orjson.dumps(number_predictions(wanted.numbers, predictions)))
    if accepted in LINES_NAMES:
        return Response(write_lines(predictions), content_type=accepted.encode())
    return Response(orjson.dumps(predictions if wanted.bare else {"predictions": predictions}))


def parse_body(body: bytes, kind: str) -> Any:
    """Return what a JSON body holds; one that is none and has no content type is rejected for that."""
    try:
        return parse_json(body, nan_to_null)
    except BadRequest as error:
        if kind == UNNAMED:
            raise BadRequest(415, f"the content type is missing: {READ}") from error
        raise
