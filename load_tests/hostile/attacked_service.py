"""Starts the service that is attacked, warm and with the attack's settings."""

from contextlib import ExitStack
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path

import psutil

from ekiben.load_tests.generator.cpu_affinity import running_on
from ekiben.load_tests.hostile.attack import Attack, AttackTarget
from ekiben.load_tests.requests.http_dialects import PREDICT
from ekiben.load_tests.requests.http_message import http_request
from ekiben.load_tests.requests.service_under_test import Service, find_service, find_source
from ekiben.load_tests.servers.own_service import first_case
from ekiben.load_tests.servers.process import cpu_seconds
from ekiben.load_tests.servers.start import EKIBEN, GRPC_OFFSET, REQUEST_FORMATS, Peer, ask, start

LIMIT_MIB = 640  # as `deploy/` runs it
SHORT_SHARE, SHORT_S = 0.25, 3.0
WARM_UP_ROWS = (1, 64, 2000)
GOOD_ROWS = 2000  # asked one by one, to know a good row's CPU


@dataclass
class Started:
    """A service under attack."""

    process: psutil.Process
    target: AttackTarget
    log: Path
    cpu_us_a_byte: float  # of good rows
    settings: tuple[object, ...]


def key(attack: Attack) -> tuple[object, ...]:
    """Return what a service must have been started with for an attack."""
    return attack.files, *sorted(attack.settings.items())


def start_service(
    attack: Attack, port: int, seconds: float, short: bool, folder: Path, stack: ExitStack, cores: frozenset[int]
) -> Started:
    """Start a service with the attack's settings, and let it have answered something of everything."""
    limited = "ekiben.load_tests.hostile.limited", str(LIMIT_MIB), str(attack.files)
    peer = Peer("Ekiben", (*limited, *EKIBEN.command), EKIBEN.request_formats)
    with running_on(cores):
        running = stack.enter_context(start(peer, port, first_case(), folder, dict(attack.settings)))
    service = find_service(f"http://127.0.0.1:{port}")
    target = AttackTarget(
        service.address, port + GRPC_OFFSET, find_source(service), seconds, SHORT_SHARE if short else 1.0
    )
    warm_up(target)
    cost = measure_good_rows(service, target, running.process)
    return Started(running.process, target, folder / f"{port}.log", cost, key(attack))


def warm_up(target: AttackTarget) -> None:
    """Ask in every protocol, so that memory is what good callers make it."""
    for request_format in REQUEST_FORMATS:
        if request_format in EKIBEN.request_formats:
            for rows in WARM_UP_ROWS:
                ask(target.grpc_port - GRPC_OFFSET, target.ask(request_format, rows))


def measure_good_rows(service: Service, target: AttackTarget, process: psutil.Process) -> float:
    """Return the CPU that a byte of a good row costs, in µs."""
    case = target.ask(PREDICT, 1)
    connection = HTTPConnection(*service.address)
    before = cpu_seconds(process)
    for _ in range(GOOD_ROWS):
        connection.request("POST", case.path, case.body, case.headers)
        connection.getresponse().read()
    connection.close()
    size = len(http_request(case.path, case.headers, case.body))
    return 1e6 * (cpu_seconds(process) - before) / (GOOD_ROWS * size)
