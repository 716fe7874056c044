"""The Bento service: one model behind one queue. Run `bentoml serve` in the project's root."""

import asyncio
import gc
import logging
import os
import shlex
from typing import Any

import bentoml
import orjson
from bentoml.exceptions import BentoMLException, InvalidArgument, ServiceUnavailable

from ekiben.contract.errors import InvalidInput, UserError
from ekiben.contract.openapi_types import predictions_type, row_type
from ekiben.model.store import find_model, open_stored
from ekiben.service.auth import Authenticator
from ekiben.service.connections.admission import controller
from ekiben.service.connections.admission import install as install_shedding
from ekiben.service.connections.byte_budget import ByteBudget, find_byte_limit
from ekiben.service.connections.port_sharing import share_main_port
from ekiben.service.connections.ports import choose_ports, in_url
from ekiben.service.dataplane import Dataplane
from ekiben.service.errors import RequestRejected
from ekiben.service.grpc.server import GrpcServer
from ekiben.service.http.front_door import Drain, FrontDoorInstaller
from ekiben.service.http.router import Router
from ekiben.service.lifecycle import lifeline
from ekiben.service.lifecycle.drain import drain_on_sigterm, ignore_hangup
from ekiben.service.lifecycle.memory import collect_regularly, tune_malloc
from ekiben.service.lifecycle.resource_limits import read_limits
from ekiben.service.lifecycle.startup_report import describe_routes, report_start
from ekiben.service.pages.swagger_ui import page
from ekiben.service.protocols import PROTOCOLS, predict
from ekiben.service.protocols.mounting import mount
from ekiben.service.protocols.openapi import document
from ekiben.service.settings import read_settings
from ekiben.service.telemetry import metrics
from ekiben.service.telemetry.exposition import exposition
from ekiben.service.telemetry.multiprocess import keep_metrics_apart, mark_complete

logger = logging.getLogger("bentoml.service")
# Python looks for cycles after 700 new objects and walks all requests under way: with 2,000 of them it was a
# quarter of the CPU time. A request leaves no cycles, and 100,000 objects are some 10 MB.
GARBAGE_OBJECTS = 100_000
CLOSING_S = 1.0  # for gRPC calls that are still under way at an interrupt

tune_malloc()
try:
    settings = read_settings()
    keep_metrics_apart(settings.workers)
    stored = find_model(settings.model_name)
    model = open_stored(stored, settings.model_digest)
except UserError as error:
    raise BentoMLException(str(error)) from None  # bentoml prints it as one sentence

Row = row_type(model.schema)
Predictions = predictions_type(model.schema)
router = Router()  # filled as the service starts
drain = Drain()
authenticator = Authenticator(settings.auth_token.get_secret_value())
budget = ByteBudget(find_byte_limit(read_limits(), settings.workers, model.manifest.engine, settings.max_body_bytes))
install_shedding(settings, budget)
grpc_socket = share_main_port() if settings.grpc_on_main_port else None


@bentoml.service(
    name="ekiben",
    workers=settings.workers,
    http={"host": settings.host, "port": settings.port},
    # Only what the front door lets through gets here: pages, probes and metrics.
    logging={"access": {"enabled": False}},
    tracing={"excluded_urls": ".*"},
    ssl=settings.ssl,
)
class Ekiben:
    """Serves one model; its pages speak of that model."""

    __doc__ = f"Predicts {model.schema.target.name}: {model.schema.target.description}."

    reference = bentoml.models.BentoModel(stored.tag)

    @bentoml.on_deployment
    @staticmethod
    def verify() -> None:
        """Reject to start with a wrong model or on a taken port, before a worker does."""
        from ekiben.service.lifecycle.supervisor import supervise  # circus, which a worker does without

        try:
            model.start_engine()
            ports = choose_ports(settings)
            ports.check()
            os.environ["HOST"] = ports.host.value  # the workers' gRPC follows the command line too
            supervise()
            mark_complete()
            report_start(settings.model_copy(update={"port": ports.http.value}), model)
        except UserError as error:
            raise BentoMLException(str(error)) from None

    @bentoml.on_startup
    async def open(self) -> None:
        limits = settings.max_waiting_rows, settings.max_request_rows, settings.max_wait_s
        self.dataplane = Dataplane(model, model.start_engine(), *limits, budget)
        self.dataplane.count_unread = controller.count_waiting
        controller.backlog_s = lambda: self.dataplane.queue.backlog_s
        protocols = [build(self.dataplane, settings) for build in PROTOCOLS]
        described = document(bento_service.openapi_spec.asdict(), protocols, model)
        mount(router, [described, page(model), exposition(), *protocols], settings)
        max_values = settings.max_request_rows * len(model.schema.features)
        self.grpc = GrpcServer(protocols, settings, authenticator, budget, max_values)
        await self.grpc.start(settings, *([grpc_socket.open(self.finish)] if grpc_socket else []))
        logger.info(describe_routes(protocols))
        start_draining = drain_on_sigterm(self.stop_being_ready, self.finish, settings.drain_delay_s)
        lifeline.watch(start_draining)
        ignore_hangup(asyncio.get_running_loop().call_soon_threadsafe)
        # uvicorn formats an access line for every request unless its logger leads nowhere.
        logging.getLogger("uvicorn.access").propagate = False
        gc.collect()
        gc.freeze()  # what is loaded stays: not walking it again took pauses of 30-130 ms out of p99
        gc.set_threshold(GARBAGE_OBJECTS)
        collect_regularly()
        asyncio.get_running_loop().call_soon(announce, bento_service.url)  # after what BentoML still has to say

    def stop_being_ready(self) -> None:
        """Report not ready to all probes, and close each connection after its next answer."""
        drain.begun = controller.draining = True
        self.dataplane.stop_being_ready()
        self.grpc.stop_being_ready()

    def finish(self, left_s: float = CLOSING_S) -> None:
        """Take no new gRPC calls; uvicorn does the same for HTTP."""
        self.grpc.stop(left_s)

    @bentoml.on_shutdown
    async def close(self) -> None:
        await self.grpc.stop(CLOSING_S)  # which counts only if SIGTERM was not how it began
        self.dataplane.close()
        if grpc_socket:
            grpc_socket.close()

    def __is_ready__(self) -> bool:
        return self.dataplane.ready

    @bentoml.api(route=predict.PATH)
    async def predict(self, rows: list[Row]) -> Predictions:  # type: ignore[valid-type]
        """Predict each row; the predictions come in the rows' order."""
        # Over HTTP the front door answers (ekiben.service.protocols.predict): this method describes it
        # on the docs page, and is the way in for code that holds the service object.
        given: list[Any] = [row.model_dump(by_alias=True) for row in rows]  # type: ignore[attr-defined]
        try:
            prediction = await self.dataplane.predict(given, settings.request_timeout_s, "python")
        except InvalidInput as error:
            raise InvalidArgument(str(error)) from None
        except RequestRejected as error:
            metrics.count_rejected("python", error.reason)
            raise ServiceUnavailable(str(error)) from None
        return Predictions.model_validate(predict.encode_prediction(self.dataplane, prediction))


bento_service: Any = Ekiben  # what the decorator made of the class
bento_service.add_asgi_middleware(FrontDoorInstaller, router=router, authenticator=authenticator, drain=drain)


def announce(url: str) -> None:
    """Print the address and a request that can be pasted into a terminal."""
    url = url.replace(settings.host, in_url(settings.host), 1)  # BentoML leaves out the brackets
    body = orjson.dumps({"rows": [model.schema.example]}).decode()
    logger.info("%s version %s (%s) is ready", model.name, model.version, model.manifest.engine)
    token = '-H "authorization: Bearer $AUTH_TOKEN" ' if authenticator.required else ""
    options = f"-H 'content-type: application/json' {token}-d {shlex.quote(body)}"
    print(f"\nTry it:\n\n  curl -s {url}{predict.PATH} {options}\n", flush=True)
