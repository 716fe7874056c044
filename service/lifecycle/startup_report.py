"""Reports at start where the service runs, what it answers, and which settings are inconsistent."""

import logging
import os
import shlex
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence

import orjson

from ekiben.model.package import PackedModel
from ekiben.service.connections.byte_budget import EXPANSION
from ekiben.service.connections.ports import in_url
from ekiben.service.environment import PORT_VARIABLES, find_port_variable
from ekiben.service.lifecycle.drain import find_grace_s
from ekiben.service.lifecycle.platform import Platform, recognise_platform
from ekiben.service.lifecycle.resource_limits import (
    MIB,
    Limits,
    find_engine,
    find_start_mib,
    find_supervisor_mib,
    find_worker_mib,
    read_limits,
)
from ekiben.service.protocols import predict
from ekiben.service.protocols.protocol import Protocol
from ekiben.service.settings import Settings

logger = logging.getLogger("bentoml.service")
VERTEX_ROUTES = ("AIP_PREDICT_ROUTE", "AIP_HEALTH_ROUTE")


def report_start(settings: Settings, models: Sequence[PackedModel]) -> None:
    """Log what was recognised, once, and every misconfiguration as a warning."""
    platform, limits = recognise_platform(os.environ, sys.orig_argv), read_limits()
    for line in describe(settings, models, platform, limits):
        logger.info(line)
    for problem in find_misconfigurations(settings, models, platform, limits, os.environ):
        logger.warning(problem)


def describe(settings: Settings, models: Sequence[PackedModel], platform: Platform, limits: Limits) -> Iterator[str]:
    """Say where the service runs, and with what."""
    yield f"platform: {platform.name}" + (f" ({platform.reason})" if platform.reason else "")
    yield f"ports: HTTP {settings.port}, gRPC {describe_grpc(settings, platform)}"
    if settings.grpc_server == "native" and "grpc_on_main_port" in settings.model_fields_set:
        given = int(settings.grpc_on_main_port)
        yield f"GRPC_ON_MAIN_PORT={given} changes nothing: GRPC_SERVER=native answers gRPC on the HTTP port anyway"
    cpus = f"{limits.cpus:g} CPUs (cgroup quota)" if limits.cpus else "CPUs without quota"
    memory = f"{limits.memory_bytes // MIB} MiB" if limits.memory_bytes else "no limit"
    engine = find_engine(model.manifest.engine for model in models)
    threads = 1 if engine == "litert" else limits.threads
    yield (f"engine: {engine}; workers: {settings.workers}, threads of each: {threads}; {cpus}; memory: {memory}")
    yield (
        f"SIGTERM: answers for DRAIN_DELAY_S={settings.drain_delay_s:g} s more, and is gone within "
        f"{find_grace_s(settings.drain_delay_s)} s: the platform's grace period must be at least that long"
    )
    for model in models:
        yield (
            f"model: {model.name} version {model.version}, run {model.manifest.run_id}, manifest digest {model.digest}"
        )
        if not model.has_golden:
            yield f"model: {model.name} was packed without golden rows: its engine was tried on the example alone"


def describe_grpc(settings: Settings, platform: Platform) -> str:
    """Say where gRPC is answered."""
    if settings.grpc_on_main_port or settings.grpc_server == "native":
        return f"{settings.port} and {settings.grpc_port}"
    hidden = f" (not reached from outside: {platform.name} has one port)" if platform.one_port else ""
    return f"{settings.grpc_port}{hidden}"


def describe_routes(protocols: Iterable[Protocol]) -> str:
    """Name every path that takes a question; what only rejects, whatever the path, is left out."""
    routes = [route for protocol in protocols for route in protocol.routes]
    paths = [route.path for route in routes if route.method == "POST" and ":path}" not in route.path]
    return "routes: POST " + ", ".join(dict.fromkeys(paths))


def announce(url: str, settings: Settings, models: Sequence[PackedModel]) -> None:
    """Print the address and a request that can be pasted into a terminal."""
    url = url.replace(settings.host, in_url(settings.host), 1)  # BentoML leaves out the brackets
    body = orjson.dumps({"rows": [models[0].schema.example]}).decode()
    for model in models:
        logger.info("%s version %s (%s) is ready", model.name, model.version, model.manifest.engine)
    token = '-H "authorization: Bearer $AUTH_TOKEN" ' if settings.guarded else ""
    options = f"-H 'content-type: application/json' {token}-d {shlex.quote(body)}"
    if settings.log_format == "json" or os.environ.get("BENTOML_CONTAINERIZED"):
        return  # the example is a row of the training table, and what a container prints is kept
    # For a person's terminal, without a log's prefix.
    print(f"\nTry it:\n\n  curl -s {url}{predict.PATH} {options}\n", flush=True)  # noqa: T201


def find_misconfigurations(
    settings: Settings,
    models: Sequence[PackedModel],
    platform: Platform,
    limits: Limits,
    environment: Mapping[str, str],
) -> Iterator[str]:
    """Yield one sentence for each thing that is set wrong but doesn't keep the service from starting."""
    yield from find_port_conflicts(environment)
    yield from find_limit_conflicts(settings, models, limits)
    yield from find_platform_conflicts(settings, platform, environment)


def find_port_conflicts(environment: Mapping[str, str]) -> Iterator[str]:
    """Yield where two variables say different ports."""
    used = find_port_variable(environment)
    for name in PORT_VARIABLES:
        value = environment.get(name)
        if value and used and value != environment[used] and not (name == "AIP_HTTP_PORT" and name != used):
            yield f"{name}={value} is ignored: {used}={environment[used]} goes before it"


def find_limit_conflicts(settings: Settings, models: Sequence[PackedModel], limits: Limits) -> Iterator[str]:
    """Yield where the container is too small for what it is to run."""
    if limits.cpus and limits.cpus < 1:
        yield f"a quota of {limits.cpus:g} CPUs stops the service for part of every 100 ms: give it 1 or more"
    if limits.cpus and settings.workers > max(1, limits.cpus):
        yield f"WORKERS={settings.workers} share {limits.cpus:g} CPUs: use one worker a CPU, or more replicas"
    engine = find_engine(model.manifest.engine for model in models)
    needed = find_supervisor_mib() + settings.workers * find_worker_mib(engine, len(models))
    given = (limits.memory_bytes or 0) // MIB
    bodies = settings.workers * settings.max_body_bytes * EXPANSION // MIB
    served = f"{engine} with {len(models)} models" if len(models) > 1 else engine
    if limits.memory_bytes and given < find_start_mib():
        yield (
            f"{given} MiB of memory is too little: {settings.workers} × {served} takes {find_start_mib()} or more to "
            f"start, so the kernel will kill it (exit code 137): give it {needed} or more"
        )
    elif limits.memory_bytes and given < needed:
        yield f"{given} MiB of memory may not do: {settings.workers} × {served} needs about {needed}"
    elif limits.memory_bytes and given < needed + bodies:
        yield (
            f"{given} MiB of memory may not do for a body of MAX_BODY_BYTES={settings.max_body_bytes}: give "
            f"{needed + bodies} MiB, or set MAX_BODY_BYTES={(given - needed) * MIB // EXPANSION // settings.workers}"
        )


def find_platform_conflicts(settings: Settings, platform: Platform, environment: Mapping[str, str]) -> Iterator[str]:
    """Yield what does not go together with the platform."""
    if environment.get("AIP_MODE"):
        yield from (
            f"{name} is not set: Vertex AI always sets it" for name in VERTEX_ROUTES if not environment.get(name)
        )
    if settings.tls_cert_file and platform.plain_http:
        yield f"TLS_CERT_FILE is set, but {platform.name} speaks plain HTTP to the container: its requests will fail"
    if settings.guarded and not platform.keeps_authorization:
        name = "AUTH_TOKEN_FILE" if settings.auth_token_file else "AUTH_TOKEN"
        yield f"{name} is set, but {platform.name} passes no Authorization header on: every call will be rejected"
