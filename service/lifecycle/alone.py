"""Serves in one process, without a supervisor: the image's way, whose orchestrator replaces what dies.

Several workers, and every option that is not here, are served by `bentoml serve`: a supervisor with its workers.
"""

import logging
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Any

import click

from ekiben.contract.errors import UserError
from ekiben.service.lifecycle.stand_ins import stand_in

logger = logging.getLogger("bentoml.service")
BACKLOG = 2048  # connections that the kernel holds until they are accepted; as BentoML has it
KEEP_ALIVE_S = 5
NOT_STARTED = "the service could not start: the log has why"


@click.command(add_help_option=False)
@click.option("--host", envvar="BENTOML_HOST")
@click.option("--port", "-p", type=int, envvar="BENTOML_PORT")
@click.option("--backlog", type=int, default=BACKLOG)
@click.option("--timeout-keep-alive", type=int, default=KEEP_ALIVE_S)
@click.option("--timeout-graceful-shutdown", type=int)
def _options(**_: Any) -> None:
    """Options of `bentoml serve` that mean the same here."""


def read_options(arguments: Sequence[str]) -> click.Context | None:
    """Return the options of a service that is one process; None if `bentoml serve` is to read them."""
    if (os.environ.get("WORKERS") or "1") != "1":
        return None
    try:
        return _options.make_context("serve", list(arguments))
    except click.ClickException:
        return None


def serve_alone(options: click.Context, target: str) -> str | None:
    """Serve until asked to stop; return what keeps the service from starting."""
    signal.signal(signal.SIGTERM, _leave)  # the first process of a container would ignore it
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # until a new version can be looked for
    stand_in()
    from bentoml.exceptions import BentoMLException

    try:
        with options:
            return _serve(options.params, target)
    except (BentoMLException, UserError) as error:
        return str(error)


def _serve(options: dict[str, Any], target: str) -> str | None:
    from ekiben.service.connections.ports import choose_ports, open_socket
    from ekiben.service.environment import read_settings

    ports = choose_ports(read_settings())
    ports.check()
    os.environ["HOST"] = ports.host.value  # gRPC follows the command line too
    _begin_process()
    service = _load(target)
    service.inner.verify()
    settings = read_settings()
    scheme = "https" if settings.tls_cert_file else "http"
    shown = "localhost" if ports.host.value in ("0.0.0.0", "::") else ports.host.value
    _note_url(service.name, f"{scheme}://{shown}:{ports.http.value}")
    import uvicorn

    from ekiben.service.lifecycle.server import serve

    with open_socket(ports.host, ports.http) as listener:
        listener.listen(options["backlog"])
        config = uvicorn.Config(
            service.to_asgi(),
            backlog=options["backlog"],
            log_config=None,
            ssl_certfile=settings.tls_cert_file,
            ssl_keyfile=settings.tls_key_file,
            timeout_keep_alive=options["timeout_keep_alive"],
            timeout_graceful_shutdown=options["timeout_graceful_shutdown"],
            server_header=False,
        )
        logger.info("one process listens on %s://%s:%d (Ctrl-C ends it)", scheme, shown, ports.http.value)
        return None if serve(config, [listener]) else NOT_STARTED


def _begin_process() -> None:
    """Let this process be what BentoML's worker is, with a folder of metrics that no supervisor gives it."""
    from bentoml._internal.configuration.containers import BentoMLContainer  # there is no public way
    from bentoml._internal.context import server_context
    from bentoml._internal.log import configure_server_logging

    from ekiben.service.telemetry.metrics_folder import VARIABLE, open_folder

    configure_server_logging()  # type: ignore[no-untyped-call]
    folder = open_folder(Path(os.environ.get(VARIABLE) or BentoMLContainer.bentoml_home.get()))
    os.environ[VARIABLE] = str(folder)
    BentoMLContainer.prometheus_multiproc_dir.set(str(folder))
    BentoMLContainer.development_mode.set(False)
    server_context.worker_index = 1
    server_context.service_type = "entry_service"
    server_context.service_name = "ekiben"


def _load(target: str) -> Any:
    import bentoml

    return bentoml.load(target)


def _note_url(name: str, url: str) -> None:
    from bentoml._internal.configuration.containers import BentoMLContainer  # there is no public way

    BentoMLContainer.remote_runner_mapping.set({name: url})


def _leave(number: int, frame: FrameType | None) -> None:
    """End before there is anything to finish."""
    sys.exit(0)
