"""POST /playground/MODEL: what the page asks, as JSON like /predict's or as CSV with a header.

It is a route of its own so that trying never passes for traffic: these rows have no prediction ids, are drawn for no
canary, and neither monitoring nor the row log nor the shadow gets them. A caller could hide from all of these here. So
it is no way in for production: a request has MAX_ROWS rows at most, they are computed while no other row waits (under
load they get 429 or 504), and `ekiben_inference_requests_total{protocol="playground"}` shows that somebody does it.
"""

import asyncio
import time
from typing import Any

import numpy as np
import orjson

from ekiben.contract.answers import Answers, to_predictions
from ekiben.contract.columns import Rows
from ekiben.contract.encoding import Encoded, Encoder
from ekiben.contract.errors import FieldError
from ekiben.contract.schema import Target
from ekiben.contract.validation import validate_rows
from ekiben.service.callers import wait_unless_gone
from ekiben.service.dataplane import Dataplane
from ekiben.service.errors import BadRequest, NotReady, RequestRejected
from ekiben.service.http.body import BodyReader
from ekiben.service.http.messages import JSON_TYPE, Request
from ekiben.service.http.timeouts import read_timeout_s
from ekiben.service.playground.opinion import Opinion
from ekiben.service.protocols.explaining import TIMEOUT
from ekiben.service.protocols.invocations.csv_form import CsvReader
from ekiben.service.protocols.invocations.operations import write_csv_example
from ekiben.service.protocols.openapi import JSON, PREDICTIONS, ROW, STRING, list_of, record
from ekiben.service.protocols.openapi.errors import ANSWERING
from ekiben.service.protocols.predict import ERROR_PROPERTIES, check_request, decode_rows, error_body
from ekiben.service.protocols.protocol import Operation, Protocol, Route
from ekiben.service.settings import Settings

PROTOCOL = "playground"
NAMED_PATH = f"/{PROTOCOL}/{{model}}"
CSV_TYPE = b"text/csv"
TRY = Operation(
    "What /predict would answer, and a challenger beside it; it counts as no traffic, and is computed in idle time",
    {JSON: record(rows=list_of(ROW)), CSV_TYPE.decode(): STRING},
    {JSON: PREDICTIONS},
    examples={JSON: lambda model: {"rows": [model.schema.example]}, CSV_TYPE.decode(): write_csv_example},
    errors=ANSWERING,
    parameters=(TIMEOUT,),
)
MAX_ROWS, MAX_BYTES = 64, 2**20


def build_playground(dataplane: Dataplane, opinion: Opinion | None, settings: Settings) -> Protocol:
    """Return what this protocol registers."""
    bodies = BodyReader(dataplane, settings, MAX_BYTES)
    encoder, csv = Encoder(dataplane.model.schema), CsvReader(dataplane.model.schema, MAX_ROWS, check_count)

    def encode(body: bytes, is_csv: bool) -> tuple[Encoded, list[FieldError]]:
        rows: Rows = csv.read(body, header=True) if is_csv else decode_rows(body)
        check_count(len(rows))
        if not rows:
            validate_rows(dataplane.model.schema, ())
        rows, _ = dataplane.fields.fit(rows)
        encoded = encoder.encode_rows(rows)
        return encoded, [] if encoded.codes.all() else encoder.unseen(rows, encoded)

    async def answer(request: Request) -> bytes:
        if not dataplane.accepting:
            raise NotReady
        is_csv = is_csv_request(request)
        timeout_s = read_timeout_s(request, settings)
        encoded, unseen = await bodies.read(request, timeout_s, lambda body: encode(body, is_csv))
        deadline = time.monotonic() + request.left_s(timeout_s)
        computing = asyncio.ensure_future(compute(encoded, deadline))
        answered = await wait_unless_gone(computing, request.wait_gone)
        return orjson.dumps(answered | {"warnings": [str(warning) for warning in unseen]})

    async def compute(encoded: Encoded, deadline: float) -> dict[str, Any]:
        model, answers = dataplane.model, await dataplane.idle_queue.answer(encoded, deadline)
        return {
            "predictions": describe(model.schema.target, answers),
            "model": model.name,
            "version": model.version,
            "challenger": None if opinion is None else await ask(opinion, encoded, deadline),
        }

    return Protocol(
        PROTOCOL,
        (Route("POST", NAMED_PATH, answer, operation=TRY),),
        error_body=error_body,
        error_properties=ERROR_PROPERTIES,
    )


def is_csv_request(request: Request) -> bool:
    """Return whether a request is CSV; raise BadRequest if it is neither that nor JSON."""
    if b"content-encoding" in request.headers:
        raise BadRequest(415, "the playground takes no compressed body: send it as it is, or to /predict")
    kind = request.headers.get(b"content-type", JSON_TYPE)
    if kind.partition(b";")[0].strip().lower() == CSV_TYPE:
        return True
    check_request(request)
    return False


def check_count(rows: int) -> None:
    """Raise BadRequest if that many rows are too many to try."""
    if rows > MAX_ROWS:
        raise BadRequest(413, f"more than {MAX_ROWS} rows: the playground is for trying, send them to /predict")


async def ask(opinion: Opinion, encoded: Encoded, deadline: float) -> dict[str, Any]:
    """Return what the challenger answers, or why it doesn't."""
    version = opinion.model.version
    try:
        answers = await opinion.answer(encoded, deadline)
    except RequestRejected as error:
        return {"version": version, "error": str(error)}
    return {"version": version, "predictions": describe(opinion.model.schema.target, answers)}


def describe(target: Target, answers: Answers) -> list[dict[str, Any] | None]:
    """Return predictions as /predict has them; None for a row without an answer."""
    answered = np.asarray(np.isfinite(answers).all(axis=1))
    made = iter(to_predictions(target, answers[answered]))
    return [next(made) if one else None for one in answered.tolist()]
