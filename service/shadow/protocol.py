"""The comparison over HTTP: as JSON, and as a page for people."""

from ekiben.contract.comparison.comparison import Comparison
from ekiben.contract.comparison.comparison_page import render_page
from ekiben.contract.comparison.judgement import judge, summarize
from ekiben.service.errors import BadRequest
from ekiben.service.http.messages import Request, Response
from ekiben.service.http.page_headers import HTML, REPORT
from ekiben.service.monitoring.protocol import NAMED_PATH
from ekiben.service.monitoring.protocol import PATH as MONITORING
from ekiben.service.offload import offload
from ekiben.service.protocols.openapi import HTML as MARKUP
from ekiben.service.protocols.openapi import JSON, STRING
from ekiben.service.protocols.protocol import Operation, Protocol, Route
from ekiben.service.shadow.overview import Overview

PROTOCOL = "challenger"
PATHS = (f"{MONITORING}/challenger", f"{NAMED_PATH}/challenger")
OFF = "no challenger is compared here: start the service with CHALLENGER=challenger, or a version of the BentoML store"
COMPARED = Operation(
    "What a challenger answers to the same rows, in counts and sums that add up with other replicas'",
    response={JSON: Comparison},
)
SHOWN = Operation("The same as a page: is the challenger better?", response={MARKUP: STRING})


def build_challenger(overview: Overview) -> Protocol:
    """Return what a comparison registers."""

    async def answer(request: Request) -> Response:
        comparison = overview.compare()
        return Response(await offload(lambda: summarize(judge(comparison)).model_dump_json().encode()))

    async def show(request: Request) -> Response:
        comparison = overview.compare()
        return Response(await offload(lambda: render_page(judge(comparison)).encode()), REPORT, content_type=HTML)

    routes = [Route("GET", path, answer, operation=COMPARED) for path in PATHS]
    routes += [Route("GET", f"{path}/page", show, operation=SHOWN) for path in PATHS]
    return Protocol(PROTOCOL, tuple(routes))


def build_absence(sentence: str = OFF) -> Protocol:
    """Return what a service without a challenger registers: the reason."""

    async def reject(request: Request) -> Response:
        raise BadRequest(404, sentence)

    return Protocol(PROTOCOL, tuple(Route("GET", f"{path}{page}", reject) for path in PATHS for page in ("", "/page")))
