"""The canary over HTTP: its state as JSON and as a page. What begins, changes and ends it is the repository API."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

from ekiben.contract.validation import show
from ekiben.service.canary.conducting import Conductor
from ekiben.service.canary.description import describe, render_page
from ekiben.service.canary.state import EVERYONE
from ekiben.service.errors import BadRequest
from ekiben.service.http.messages import Request, Response, encode_json
from ekiben.service.http.page_headers import HTML, REPORT
from ekiben.service.monitoring.protocol import PATH
from ekiben.service.protocols.openapi import HTML as MARKUP
from ekiben.service.protocols.openapi import JSON, STRING
from ekiben.service.protocols.protocol import Operation, Protocol, Route

PROTOCOL = "canary"
SHARE = "share"
STATE = Operation(
    "The canary: its versions and share, what each guardrail has seen, and why it stepped back",
    response={JSON: {"type": "object", "description": "One model's canary, or `canaries` of several models."}},
)
SHOWN = Operation("The same as a page", response={MARKUP: STRING})


def build_canary(conductors: Mapping[str, Conductor]) -> Protocol:
    """Return what the canaries of all models register."""

    def list_canaries() -> Iterator[dict[str, Any]]:
        for model, conductor in conductors.items():
            yield describe(model, conductor)

    async def answer(request: Request) -> bytes:
        canaries = list(list_canaries())
        return encode_json(canaries[0] if len(canaries) == 1 else {"canaries": canaries})

    async def show_page(request: Request) -> Response:
        return Response(render_page(list_canaries()).encode(), REPORT, content_type=HTML)

    routes = (
        Route("GET", f"{PATH}/canary", answer, operation=STATE),
        Route("GET", f"{PATH}/canary/page", show_page, operation=SHOWN),
    )
    return Protocol(PROTOCOL, routes)


def read_share(parameters: Mapping[str, Any]) -> float | None:
    """Return the share that a call for the repository names, None if none; raise BadRequest if it is no share.

    Over gRPC it may be a string: Triton's parameters have no fractions.
    """
    given = parameters.get(SHARE)
    if given is None:
        return None
    try:
        share = math.nan if isinstance(given, bool) else float(given)
    except (TypeError, ValueError, OverflowError):
        share = math.nan
    if not 0 <= share <= EVERYONE:
        raise BadRequest(400, f"`{SHARE}`: expected a number from 0 (nobody) to 1 (everyone), got {show(given)}")
    return share
