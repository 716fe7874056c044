"""/invocations, as MLflow's scoring server and SageMaker call it: JSON in four forms, CSV, Parquet."""

from dataclasses import replace

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
TARGET_MODEL = b"x-amzn-sagemaker-target-model"
PREDICT = Operation(
    "Predict, as MLflow and SageMaker clients call it; X-Amzn-SageMaker-Target-Model may name the model",
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
INVOKE = replace(PREDICT, summary="Predict with the model of that name, as SageMaker calls one of several")
VERSION = Operation(
    "Version of this server, where MLflow's server returns its own", response={"text/plain": {"type": "string"}}
)


def build_protocol(dataplane: Dataplane, settings: Settings) -> Protocol:
    """Return what this protocol registers."""

    async def report_version(request: Request) -> Response:
        return Response(EKIBEN_VERSION.encode(), content_type=b"text/plain")

    invoke = Invocations(dataplane, settings, PROTOCOL).answer
    routes = (
        Route("POST", "/invocations", invoke, operation=PREDICT, header=TARGET_MODEL),
        Route("POST", "/models/{model}/invoke", invoke, operation=INVOKE),
        Route("GET", "/version", report_version, operation=VERSION),
    )
    return Protocol(PROTOCOL, routes, error_body=error_body)
