"""What the OTEL_* variables ask for: whether a signal is exported, where to, and as whom.

The SDK and its exporters read the rest themselves: sampler, limits, endpoint, headers, certificates, timeouts.
"""

import logging
import os
import socket
from collections.abc import Mapping
from importlib.metadata import entry_points
from typing import Any, Literal

from bentoml._internal.context import server_context  # there is no public way
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from ekiben.contract.errors import UserError
from ekiben.contract.validation import shorten
from ekiben.contract.version import VERSION
from ekiben.service.logs.bounds import OncePer

Signal = Literal["traces", "metrics"]
INTERVAL = "OTEL_METRIC_EXPORT_INTERVAL"  # milliseconds
MIN_INTERVAL_MS, MAX_INTERVAL_MS = 100, 86_400_000
PROTOCOLS = {"grpc": "otlp_proto_grpc", "http/protobuf": "otlp_proto_http"}
GRPC_PORT = ":4317"  # of collectors; 4318 takes HTTP
HINT = "OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf is, for port 4318, and grpc with `pip install 'ekiben[grpcio]'`"
DOWN_S = 600.0  # between two lines about a collector that is down
# An exporter tells of every attempt, the queue before it of every batch that finds it full. One collector that is down
# is one line: over gRPC both signals have one logger, over HTTP each its own.
LOGGERS = (
    (
        "opentelemetry.exporter.otlp.proto.grpc.exporter",
        "opentelemetry.exporter.otlp.proto.http.trace_exporter",
        "opentelemetry.exporter.otlp.proto.http.metric_exporter",
    ),
    ("opentelemetry.sdk._shared_internal",),
)


def is_exported(signal: Signal, environment: Mapping[str, str]) -> bool:
    """Return whether the variables name an exporter, or a place for one."""
    if environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return False
    chosen = environment.get(f"OTEL_{signal.upper()}_EXPORTER", "").strip()
    places = "OTEL_EXPORTER_OTLP_ENDPOINT", f"OTEL_EXPORTER_OTLP_{signal.upper()}_ENDPOINT"
    return chosen != "none" and bool(chosen or any(environment.get(name) for name in places))


def find_exporter(signal: Signal, environment: Mapping[str, str]) -> Any:
    """Return the class of the exporter; raise UserError if there is no such one."""
    variable = f"OTEL_{signal.upper()}_EXPORTER"
    chosen = environment.get(variable, "").strip() or "otlp"
    if chosen != "otlp":
        name, said = chosen, f"{variable}={chosen}"
    else:
        one, all_of_them = f"OTEL_EXPORTER_OTLP_{signal.upper()}_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"
        variable = one if environment.get(one) else all_of_them
        protocol = environment.get(variable, "").strip()
        if protocol:
            name, said = PROTOCOLS.get(protocol, protocol), f"{variable}={protocol}"
        else:
            name, said = guess_protocol(signal, environment)
    found = list(entry_points(group=f"opentelemetry_{signal}_exporter", name=name))
    if not found:
        raise UserError(f"{said}: no such exporter is installed; {HINT}")
    return found[0].load()


def guess_protocol(signal: Signal, environment: Mapping[str, str]) -> tuple[str, str]:
    """Return the exporter for the place that is given, and how that is said: gRPC's port takes nothing else."""
    variables = f"OTEL_EXPORTER_OTLP_{signal.upper()}_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"
    variable = next((name for name in variables if environment.get(name)), "")
    place = environment.get(variable, "").rstrip("/")
    return PROTOCOLS["grpc" if place.endswith(GRPC_PORT) else "http/protobuf"], f"{variable}={place}"


def check_exporters(environment: Mapping[str, str]) -> None:
    """Raise UserError, or what the SDK raises, if the variables ask for what is not there or can't be begun."""
    if is_exported("traces", environment):
        find_exporter("traces", environment)
        import ekiben.service.tracing.spans  # noqa: F401  # the SDK looks for OTEL_PROPAGATORS as this is imported

        open_provider().shutdown()
    if is_exported("metrics", environment):
        find_exporter("metrics", environment)
        read_period_s(environment)
        open_exporter("metrics").shutdown()


def open_provider() -> TracerProvider:
    """Return what makes and exports spans."""
    provider = TracerProvider(resource=describe_resource(), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(open_exporter("traces")))
    return provider


def read_period_s(environment: Mapping[str, str]) -> float:
    """Return the seconds between two exports of metrics; raise UserError if the variable says no such thing."""
    given = environment.get(INTERVAL, "").strip() or "60000"
    if not (given.isascii() and given.isdigit() and len(given) <= len(str(MAX_INTERVAL_MS))):
        raise UserError(f"{INTERVAL}={shorten(given)}: expected milliseconds, such as 60000")
    return min(max(int(given), MIN_INTERVAL_MS), MAX_INTERVAL_MS) / 1000


def open_exporter(signal: Signal) -> Any:
    """Return the exporter; one that reaches nobody says so once in a while, and the service goes on."""
    for names in LOGGERS:
        limit = OncePer(DOWN_S)
        for logger in map(logging.getLogger, names):
            if not any(isinstance(one, OncePer) for one in logger.filters):
                logger.addFilter(limit)
    return find_exporter(signal, os.environ)()


def describe_resource() -> Resource:
    """Return who exports: OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES go before what is known here."""
    known = {
        "service.name": "ekiben",
        "service.version": VERSION,
        "service.instance.id": f"{socket.gethostname()}/{server_context.worker_index or 0}",
    }
    return Resource.create({}).merge(Resource(known)).merge(OTELResourceDetector().detect())
