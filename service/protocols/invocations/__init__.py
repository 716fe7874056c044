"""/invocations, as MLflow's scoring server and SageMaker call it: JSON in four forms, CSV, Parquet."""

from ekiben.contract.version import VERSION as EKIBEN_VERSION
from ekiben.service.dataplane import Dataplane
from ekiben.service.http.messages import Request, Response
from ekiben.service.protocols.invocations.answer import Invocations
from ekiben.service.protocols.invocations.errors import error_body
from ekiben.service.protocols.invocations.media import CSV, JSON, PARQUET
from ekiben.service.protocols.openapi import PREDICTION, ROW
from ekiben.service.protocols.protocol import Operation, Protocol, Route
from ekiben.service.settings import Settings

PROTOCOL = "invocations"
PREDICT = Operation(
    "Predict, as MLflow and SageMaker clients call it",
    {
        JSON: {"type": "object", "properties": {"dataframe_records": {"type": "array", "items": ROW}}},
        CSV: {"type": "string"},
        PARQUET: {"type": "string", "format": "binary"},
    },
    {
        JSON: {"type": "object", "properties": {"predictions": {"type": "array", "items": PREDICTION}}},
        CSV: {
            "type": "string",
            "description": "Strings are unchanged: a spreadsheet may run one that begins with = as a formula",
        },
    },
)
VERSION = Operation(
    "Version of this server, where MLflow's server returns its own", response={"text/plain": {"type": "string"}}
)


def build_protocol(dataplane: Dataplane, settings: Settings) -> Protocol:
    """Return what this protocol registers."""

    async def report_version(request: Request) -> Response:
        return Response(EKIBEN_VERSION.encode(), content_type=b"text/plain")

    routes = (
        Route("POST", "/invocations", Invocations(dataplane, settings, PROTOCOL).answer, operation=PREDICT),
        Route("GET", "/version", report_version, operation=VERSION),
    )
    return Protocol(PROTOCOL, routes, error_body=error_body)
