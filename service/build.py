"""Builds the Bento service of models: what BentoML serves, and how it starts, answers and stops."""
# mypy: disallow-untyped-decorators=False
# BentoML's decorators are untyped.

import asyncio
import os
from collections.abc import Callable, Sequence
from typing import Any

import bentoml
from bentoml.exceptions import BentoMLException, InvalidArgument, ServiceUnavailable

from ekiben.contract.errors import InvalidInput, UserError
from ekiben.contract.openapi_types import predictions_type, row_type
from ekiben.model.package import PackedModel
from ekiben.service.connections.ports import choose_ports
from ekiben.service.errors import RequestRejected
from ekiben.service.grpc.opening import check_grpcio
from ekiben.service.http.front_door import FrontDoorInstaller
from ekiben.service.lifecycle.process import prepare_process
from ekiben.service.lifecycle.startup_report import announce, report_start
from ekiben.service.logs.access import share_access_log
from ekiben.service.protocols import predict
from ekiben.service.row_log.folder import open_folder
from ekiben.service.row_log.logs import is_logging
from ekiben.service.servings.agreed_versions import AgreedVersions
from ekiben.service.servings.watching import check_source
from ekiben.service.settings import Settings
from ekiben.service.telemetry import metrics
from ekiben.service.telemetry.metrics_folder import find_worker_folder
from ekiben.service.telemetry.multiprocess import find_service_folder, mark_complete
from ekiben.service.tracing.process import check_export
from ekiben.service.worker import Worker

PYTHON = "python"  # in the metrics, for rows that did not come over a network


def build_service(settings: Settings, models: Sequence[PackedModel], agreed: AgreedVersions | None = None) -> Any:
    """Return the Bento service of models of the BentoML store; a process has one.

    `agreed`: what a worker hears and says of versions. Raises UserError if there is no folder that metrics can be
    written to.
    """
    prepare_process(settings.workers)
    worker = Worker(settings, models, agreed)
    decorate = bentoml.service(
        name="ekiben",
        workers=settings.workers,
        http={"host": settings.host, "port": settings.port},
        # Only what the front door lets through gets here: pages, probes and metrics.
        logging={"access": {"enabled": False}},
        tracing={"excluded_urls": ".*"},
        ssl=settings.ssl,
    )
    service: Any = decorate(describe_service(worker, lambda: service))
    access = share_access_log(settings.access_log_sample)
    authenticator = worker.secrets.authenticator
    front = {
        "router": worker.router,
        "authenticator": authenticator,
        "drain": worker.drain,
        "access": access,
        "cors": worker.http.cors,
    }
    service.add_asgi_middleware(FrontDoorInstaller, **front)
    return service


def describe_service(worker: Worker, get_service: Callable[[], Any]) -> type:
    """Return the class that BentoML makes a service of, which `get_service` returns; its page is the first model's."""
    models, settings = worker.models, worker.settings
    model = models[0]
    Row, Predictions = row_type(model.schema), predictions_type(model.schema)

    class Ekiben:
        """Serves models."""

        __doc__ = f"Predicts {model.schema.target.name}: {model.schema.target.description}."

        @bentoml.on_deployment
        @staticmethod
        def verify() -> None:
            verify_start(settings, models)

        @bentoml.on_startup
        async def open(self) -> None:
            service = get_service()
            await worker.open()
            # After what BentoML still has to say.
            asyncio.get_running_loop().call_soon(announce, service.url, settings, models)

        @bentoml.on_shutdown
        async def close(self) -> None:
            await worker.close()

        def __is_ready__(self) -> bool:
            return worker.servings.ready

        @bentoml.api(route=predict.PATH)
        async def predict(self, rows: list[Row]) -> Predictions:  # type: ignore[valid-type]
            """Predict each row; the predictions come in the rows' order."""
            # Over HTTP the front door answers (ekiben.service.protocols.predict): this method describes it
            # on the docs page, and is the way in for code that holds the service object.
            given: list[Any] = [row.model_dump(by_alias=True) for row in rows]  # type: ignore[attr-defined]
            return Predictions.model_validate(await predict_rows(worker, given))

    for index, one in enumerate(models):  # BentoML looks for them among the class's attributes
        reference = bentoml.models.BentoModel(f"{one.name}:{one.version}".lower())  # as the store has it
        setattr(Ekiben, f"reference_{index}", reference)
    return Ekiben


def verify_start(settings: Settings, models: Sequence[PackedModel]) -> None:
    """Reject to start with a wrong model or on a taken port, before a worker does."""
    try:
        check_source(settings, models)
        check_grpcio(settings)
        check_export(os.environ)
        for model in models:
            model.start_engine()
        ports = choose_ports(settings)
        ports.check()
        os.environ["HOST"] = ports.host.value  # the workers' gRPC follows the command line too
        if is_logging(settings):
            open_folder(settings.log_folder)
        if find_worker_folder() is None:
            from ekiben.service.lifecycle.supervisor import supervise  # circus, which others do without

            supervise()
        mark_complete()
        AgreedVersions(find_service_folder()).begin(models)
        report_start(settings.model_copy(update={"port": ports.http.value}), models)
    except UserError as error:
        raise BentoMLException(str(error)) from None


async def predict_rows(worker: Worker, rows: list[Any]) -> dict[str, Any]:
    """Answer rows that were handed to the service object."""
    try:
        dataplane = worker.servings.default.current.dataplane
        prediction = await dataplane.predict(rows, worker.settings.request_timeout_s, PYTHON)
    except InvalidInput as error:
        raise InvalidArgument(str(error)) from None
    except RequestRejected as error:
        metrics.count_rejected(PYTHON, error.reason)
        raise ServiceUnavailable(str(error)) from None
    return predict.encode_prediction(dataplane, prediction, dataplane.model.schema.target)
