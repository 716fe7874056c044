"""Starts the service of this folder on its cores, with the settings that an SLO asks for."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psutil

from ekiben.load_tests.capacity.scalability import WAIT_SHARE
from ekiben.load_tests.generator.cpu_affinity import Split, running_on
from ekiben.load_tests.requests.http_dialects import PREDICT
from ekiben.load_tests.requests.request_case import RequestCase, write_case
from ekiben.load_tests.requests.service_under_test import Service, find_service
from ekiben.load_tests.servers.start import EKIBEN, NOTHING, start
from ekiben.model.store import find_model, open_stored
from ekiben.service.environment import read_settings


@contextmanager
def serve(
    workers: int, port: int, folder: Path, split: Split, environment: Mapping[str, str] = NOTHING
) -> Iterator[tuple[Service, psutil.Process]]:
    """Start the service of this folder on its cores and return it once it answers."""
    given = {**environment, "WORKERS": str(workers)}
    with ExitStack() as stack:
        with running_on(split.service):
            running = stack.enter_context(start(EKIBEN, port, first_case(), folder, given))
        yield find_service(f"http://127.0.0.1:{port}"), running.process


def wait_setting(slo_ms: float) -> dict[str, str]:
    """Return the setting of a service that is to keep this SLO."""
    return {"MAX_WAIT_S": f"{WAIT_SHARE * slo_ms / 1000:g}"}


def describe_wait(slo_ms: float) -> str:
    """Return that setting as a shell takes it."""
    return " ".join(f"{name}={value}" for name, value in wait_setting(slo_ms).items())


def first_case() -> RequestCase:
    """Return a row of the store's model, asked until the service answers."""
    model = open_stored(find_model(read_settings().model_name))
    return write_case(model.schema, [model.schema.example], PREDICT, 1)
