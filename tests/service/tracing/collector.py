"""A collector of OTLP over gRPC, which keeps what it gets."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2, metrics_service_pb2_grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc


@dataclass
class Collector(trace_service_pb2_grpc.TraceServiceServicer, metrics_service_pb2_grpc.MetricsServiceServicer):
    """What was exported: spans, metrics and who did so."""

    address: str = ""
    spans: list[Any] = field(default_factory=list)
    metrics: dict[str, Any] = field(default_factory=dict)
    resource: dict[str, str] = field(default_factory=dict)

    def Export(self, request: Any, context: Any) -> Any:
        """Take either: both services call their method so."""
        if isinstance(request, trace_service_pb2.ExportTraceServiceRequest):
            for whose in request.resource_spans:
                self.resource |= {one.key: one.value.string_value for one in whose.resource.attributes}
                self.spans += [span for scope in whose.scope_spans for span in scope.spans]
            return trace_service_pb2.ExportTraceServiceResponse()
        found = [one for whose in request.resource_metrics for scope in whose.scope_metrics for one in scope.metrics]
        self.metrics |= {one.name: one for one in found}
        return metrics_service_pb2.ExportMetricsServiceResponse()

    def named(self, name: str) -> list[Any]:
        """Return the spans of a name."""
        return [span for span in self.spans if span.name == name]


@contextmanager
def collect() -> Iterator[Collector]:
    """Listen on a free port."""
    server, collector = grpc.server(ThreadPoolExecutor(2)), Collector()
    trace_service_pb2_grpc.add_TraceServiceServicer_to_server(collector, server)  # type: ignore[no-untyped-call]
    metrics_service_pb2_grpc.add_MetricsServiceServicer_to_server(collector, server)  # type: ignore[no-untyped-call]
    collector.address = f"http://127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    try:
        yield collector
    finally:
        server.stop(None)


def read_attributes(span: Any) -> dict[str, Any]:
    """Return a span's attributes as Python has them."""
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in span.attributes}
