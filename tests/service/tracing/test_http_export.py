"""Spans go to a collector over HTTP, unless its port is gRPC's: no library of gRPC's is needed for that."""

import logging
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from ekiben.contract.errors import UserError
from ekiben.service.tracing import exporters

PLACE = "OTEL_EXPORTER_OTLP_ENDPOINT"


@pytest.fixture
def collector() -> Iterator[tuple[str, list[Any]]]:
    """Listen on a free port; yield the address, and what was posted."""
    posted: list[Any] = []

    class Take(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            posted.append((self.path, ExportTraceServiceRequest.FromString(body)))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Take) as server:
        threading.Thread(target=server.serve_forever).start()
        yield f"http://127.0.0.1:{server.server_address[1]}", posted
        server.shutdown()


def test_spans_are_posted(collector: tuple[str, list[Any]], monkeypatch: pytest.MonkeyPatch) -> None:
    address, posted = collector
    monkeypatch.setenv(PLACE, address)
    monkeypatch.delenv("OTEL_EXPORTER_OTLP_PROTOCOL", raising=False)
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporters.open_exporter("traces")))
    provider.get_tracer("test").start_span("asked").end()
    provider.shutdown()
    ((path, request),) = posted
    assert path == "/v1/traces"
    assert request.resource_spans[0].scope_spans[0].spans[0].name == "asked"


@pytest.mark.parametrize(("port", "wanted"), [(4317, ".grpc."), (4318, ".http."), (443, ".http.")])
def test_grpcs_port_is_asked_by_grpc(port: int, wanted: str) -> None:
    assert wanted in exporters.find_exporter("traces", {PLACE: f"http://c:{port}/"}).__module__


def test_without_grpcio_its_port_is_rejected_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporters, "entry_points", lambda **_: [])
    with pytest.raises(UserError, match=rf"^{PLACE}=http://c:4317: no such exporter is installed; .*port 4318"):
        exporters.check_exporters({PLACE: "http://c:4317"})


def test_a_collector_that_is_down_is_told_of_once_for_both_signals(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    names = [name for together in exporters.LOGGERS for name in together if ".http." in name]
    for name in names:
        monkeypatch.setattr(logging.getLogger(name), "filters", [])
    monkeypatch.setenv(PLACE, "http://127.0.0.1:9")
    for signal in ("traces", "metrics"):
        exporters.open_exporter(signal).shutdown()
    for name in names:
        logging.getLogger(name).warning("nobody is there")
    assert caplog.messages == ["nobody is there"]
