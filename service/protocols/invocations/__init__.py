"""/invocations, as MLflow's scoring server and SageMaker call it: JSON in four forms, CSV, Parquet."""

from ekiben.contract.version import VERSION as EKIBEN_VERSION
from ekiben.service.dataplane import Dataplane
from ekiben.service.http.messages import Request, Response
from ekiben.service.protocols.invocations.answer import Invocations
from ekiben.service.protocols.invocations.errors import error_body
from ekiben.service.protocols.invocations.operations import ERROR_PROPERTIES, INVOKE, PREDICT, VERSION
from ekiben.service.protocols.protocol import Protocol, Route
from ekiben.service.settings import Settings

PROTOCOL = "invocations"
TARGET_MODEL = b"x-amzn-sagemaker-target-model"


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
    return Protocol(PROTOCOL, routes, error_body=error_body, error_properties=ERROR_PROPERTIES)
