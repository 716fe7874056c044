"""A thousand reloads under load: `ekiben reloads`.

Two versions of a model take each other's place again and again, while callers of every protocol that names the version
in its answers ask without a rest. Each answer is compared with what the version that it names answers. Triton gets
slower or larger with its reloads (triton-inference-server/server 5944, 6402); whether this does, the phases before and
after the reloads show.
"""

import asyncio
import json
import time
from collections.abc import Mapping
from pathlib import Path

import psutil

from ekiben.load_tests.generator.cpu_affinity import running_on, split_cores
from ekiben.load_tests.machine import describe_machine
from ekiben.load_tests.reloads.answers import FORMATS, write_cases
from ekiben.load_tests.reloads.callers import CALLERS, Callers
from ekiben.load_tests.reloads.verdict import Reloads, report
from ekiben.load_tests.reloads.versions import VERSIONS, pack_versions, read_answers
from ekiben.load_tests.requests.http_message import http_request, read_answer
from ekiben.load_tests.requests.service_under_test import Service
from ekiben.load_tests.servers.own_service import serve
from ekiben.load_tests.servers.process import cpu_seconds, memory_mib
from ekiben.load_tests.servers.start import GRPC_OFFSET
from ekiben.model.golden import Golden
from ekiben.model.package import PackedModel
from ekiben.model.store import find_model, open_stored
from ekiben.service.environment import read_settings

SIZES, CASES = (1, 1, 1, 8, 64), 40
SETTLE_S = 3.0  # before anything counts


def run(port: int, reloads: int, seconds: float, folder: Path) -> int:
    """Reload a service that is started here so often; print the verdict and return 1 if a demand was missed."""
    model, home = open_stored(find_model(read_settings().model_name)), folder / "bentoml"
    pack_versions(model, home)
    answers = read_answers(model, home)
    environment = {"BENTOML_HOME": str(home), "MODEL_NAME": model.name, "RELOAD": "1"}
    split = split_cores(1)
    print(f"{describe_machine()}; {reloads:,} reloads, {CALLERS} callers of each of {len(FORMATS)} protocols")
    with serve(1, port, folder, split, environment) as (service, process), running_on(split.generator):
        done = asyncio.run(measure(service, process, port + GRPC_OFFSET, model, answers, reloads, seconds))
    return report(done)


async def measure(
    service: Service,
    process: psutil.Process,
    grpc_port: int,
    model: PackedModel,
    answers: Mapping[str, Golden],
    reloads: int,
    seconds: float,
) -> Reloads:
    """Load the service before, during and after the reloads."""
    callers = Callers(service.address, grpc_port)
    callers.start({one: write_cases(model.schema, answers, one, SIZES, CASES) for one in FORMATS})
    await asyncio.sleep(SETTLE_S)
    done = Reloads(callers.answered)
    done.began = mark(process, done)
    await asyncio.sleep(seconds)
    done.first_reload = mark(process, done)
    await reload_in_turn(service, process, model.name, reloads, done)
    done.last_reload = mark(process, done)
    await asyncio.sleep(seconds)
    done.ended = mark(process, done)
    await callers.stop()
    return done


def mark(process: psutil.Process, done: Reloads) -> float:
    """Note the service's CPU time, and return the moment."""
    done.cpu_s.append(cpu_seconds(process))
    return time.monotonic()


async def reload_in_turn(service: Service, process: psutil.Process, name: str, reloads: int, done: Reloads) -> None:
    """Let the versions take each other's place, one after the other."""
    reader, writer = await asyncio.open_connection(*service.address)
    for number in range(reloads):
        version = VERSIONS[(number + (service.version == VERSIONS[0])) % len(VERSIONS)]
        body = json.dumps({"parameters": {"version": version}}).encode()
        began = time.monotonic()
        writer.write(http_request(f"/v2/repository/models/{name}/load", {"Content-Type": "application/json"}, body))
        status, answer = await read_answer(reader)
        done.take_reload(time.monotonic() - began, status, answer)
        done.memory_mib.append(memory_mib(process))
        if status == 0:
            reader, writer = await asyncio.open_connection(*service.address)
    writer.close()
