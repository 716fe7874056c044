"""What the service saw, over HTTP: as JSON, and as a page for people."""

import json
from collections.abc import Awaitable, Callable

from ekiben.contract.reference.alarms.alarm_text import list_findings
from ekiben.contract.reference.drift import report_drift
from ekiben.contract.reference.drift_json import to_json
from ekiben.contract.reference.drift_page import render_page
from ekiben.contract.reference.reference import REFERENCE_FILE, Reference
from ekiben.contract.reference.snapshot import Snapshot, Span
from ekiben.model.package import PackedModel
from ekiben.service.errors import BadRequest
from ekiben.service.http.messages import Request, Response
from ekiben.service.http.page_headers import HTML, REPORT
from ekiben.service.monitoring.alarms import DailyAlarms
from ekiben.service.monitoring.overview import Overview
from ekiben.service.offload import offload
from ekiben.service.protocols.openapi import HTML as MARKUP
from ekiben.service.protocols.openapi import JSON, STRING, list_of, record
from ekiben.service.protocols.protocol import Operation, Protocol, Route

PROTOCOL = "monitoring"
NUMBER = {"type": "number"}
PATH = "/monitoring"  # of the model that answers calls which name none
NAMED_PATH = f"{PATH}/models/{{model}}"
SPANS: tuple[Span, ...] = ("minutes", "hours", "days")
PAGES = tuple(f"/{part}" for part in (*SPANS, "alarms", "drift", "reference", "page"))
LATEST_DAYS = 2  # today, and all of yesterday
COUNTS = Operation(
    "What was answered today and yesterday, in counts that add up with other replicas'", response={JSON: Snapshot}
)
WINDOWS = Operation("The same by windows of five minutes, hours or days", response={JSON: Snapshot})
FINDING = record(
    feature=STRING, partner=STRING, statistic=STRING, score=NUMBER, effect=NUMBER, windows=NUMBER, text=STRING
)
ALARM_REPORT = record(
    day={"type": ["string", "null"], "format": "date"},
    silence={"type": "string", "description": "why nothing was judged, if nothing was"},
    threshold=NUMBER,
    alarms=list_of(FINDING),
    notes=list_of(FINDING),
)
ALARMS = Operation(
    "The features that were not as in training, in the last whole day and the one before", response={JSON: ALARM_REPORT}
)
SHIFT = record(
    name=STRING, verdict={"type": "string", "enum": ["stable", "moderate", "large"]}, psi=NUMBER,
    chance={"type": ["number", "null"], "description": "what the index stays below 99 times of 100 by chance"},
    expected_change=NUMBER, bins=list_of(STRING), then=list_of(NUMBER), now=list_of(NUMBER),
)  # fmt: skip
DRIFT = Operation(
    "How far features and answers have moved from training, today and yesterday; the worst first",
    response={
        JSON: record(
            model=STRING, version=STRING, reference=STRING, rows=NUMBER, counted=NUMBER, alarms=ALARM_REPORT,
            answers=list_of(SHIFT), features=list_of(SHIFT),
        )
    },
)  # fmt: skip
REFERENCE = Operation("What training saw, in the bins that rows are counted in", response={JSON: Reference})
SHOWN = Operation("A page of each feature now beside training, the worst first", response={MARKUP: STRING})
Answer = Callable[[Request], Awaitable[Response]]


def build_monitoring(overview: Overview, reference: Reference, alarms: DailyAlarms) -> Protocol:
    """Return what monitoring registers."""
    content = (overview.model.path / REFERENCE_FILE).read_bytes()

    async def read_reference(request: Request) -> Response:
        return Response(content)

    async def list_alarms(request: Request) -> Response:
        judge = alarms.prepare()
        report = await offload(lambda: json.dumps(list_findings(judge())).encode())
        return Response(report)

    async def list_drift(request: Request) -> Response:
        snapshot, judge = overview.snapshot("days", LATEST_DAYS), alarms.prepare()
        report = await offload(lambda: json.dumps(to_json(report_drift(reference, snapshot), judge())).encode())
        return Response(report)

    async def show(request: Request) -> Response:
        snapshot, judge = overview.snapshot("days", LATEST_DAYS), alarms.prepare()
        page = await offload(lambda: render_page(report_drift(reference, snapshot), judge()).encode())
        return Response(page, REPORT, content_type=HTML)

    latest = _answer_snapshot(overview, "days", LATEST_DAYS)
    routes: list[Route] = []
    for path in (PATH, NAMED_PATH):
        routes += [
            Route("GET", path, latest, operation=COUNTS),
            *(Route("GET", f"{path}/{span}", _answer_snapshot(overview, span), operation=WINDOWS) for span in SPANS),
            Route("GET", f"{path}/alarms", list_alarms, operation=ALARMS),
            Route("GET", f"{path}/drift", list_drift, operation=DRIFT),
            Route("GET", f"{path}/reference", read_reference, operation=REFERENCE),
            Route("GET", f"{path}/page", show, operation=SHOWN),
        ]
    return Protocol(PROTOCOL, tuple(routes))


def build_silence(sentence: str) -> Protocol:
    """Return what a service that counts nothing registers: the reason."""

    async def reject(request: Request) -> Response:
        raise BadRequest(404, sentence)

    return Protocol(
        PROTOCOL, tuple(Route("GET", path + page, reject) for path in (PATH, NAMED_PATH) for page in ("", *PAGES))
    )


def explain_silence(enabled: bool, model: PackedModel) -> str:
    """Return why nothing is counted, or ""."""
    if not enabled:
        return "monitoring is off: start the service without MONITORING=0"
    if model.reference is None:
        return f"monitoring is off: {model.name} {model.version} was packed without what it answered: train it again"
    return ""


def _answer_snapshot(overview: Overview, span: Span, latest: int = 0) -> Answer:
    async def answer(request: Request) -> Response:
        return Response(overview.snapshot(span, latest).model_dump_json().encode())

    return answer
