"""What the OTEL_* variables ask for, and what becomes of a request's spans."""

import os
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry.sdk.metrics.export import Histogram, Sum
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client import CollectorRegistry, Counter
from prometheus_client import Histogram as PrometheusHistogram

from ekiben.contract.errors import UserError
from ekiben.service.tracing.exporters import check_exporters, describe_resource, is_exported
from ekiben.service.tracing.metric_export import convert
from ekiben.service.tracing.process import check_export
from ekiben.service.tracing.spans import Tracing
from tests.conftest import run

PLACE = "OTEL_EXPORTER_OTLP_ENDPOINT"
TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@pytest.mark.parametrize(
    ("environment", "exported"),
    [
        ({}, False),
        ({PLACE: "http://c:4317"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c:4317"}, True),
        ({"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://c:4317"}, False),
        ({"OTEL_TRACES_EXPORTER": "console"}, True),
        ({PLACE: "http://c:4317", "OTEL_TRACES_EXPORTER": "none"}, False),
        ({PLACE: "http://c:4317", "OTEL_SDK_DISABLED": "true"}, False),
    ],
)
def test_traces_are_exported_where_the_variables_name_a_place(environment: dict[str, str], exported: bool) -> None:
    assert is_exported("traces", environment) is exported


def test_an_exporter_that_is_not_there_is_one_sentence() -> None:
    with pytest.raises(UserError, match=r"^OTEL_EXPORTER_OTLP_PROTOCOL=carrier-pigeon: no such exporter is installed"):
        check_exporters({PLACE: "http://c:4317", "OTEL_EXPORTER_OTLP_PROTOCOL": "carrier-pigeon"})
    check_exporters({"OTEL_TRACES_EXPORTER": "console"})


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "zipped", 'Invalid value "zipped" for compression'),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "soon", "could not convert string to float: 'soon'"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "-1", "max_queue_size must be a positive integer"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "²", "OTEL_METRIC_EXPORT_INTERVAL=²: expected milliseconds, such as 60000"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "9" * 30, "expected milliseconds, such as 60000"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "a minute", "expected milliseconds, such as 60000"),
    ],
)
def test_what_the_sdk_cannot_begin_with_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str
) -> None:
    monkeypatch.setenv(PLACE, "http://127.0.0.1:4317")
    monkeypatch.setenv(name, value)
    with pytest.raises(UserError) as rejected:
        check_export(os.environ)
    assert said in str(rejected.value)
    assert "\n" not in str(rejected.value)


def test_what_is_wrong_as_the_sdk_is_imported_is_one_sentence() -> None:
    variables = {PLACE: "http://127.0.0.1:4317", "OTEL_PROPAGATORS": "pigeon", "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT": "1"}
    code = "import os\nfrom ekiben.service.tracing.process import check_export\n"
    code += "try:\n    check_export(os.environ)\nexcept Exception as error:\n    print(type(error).__name__, error)"
    assert run("-c", code, **variables).stdout == (
        "UserError the OTEL_* variables can't be used: Propagator pigeon not found. It is either misspelled or not "
        "installed\n"
    )


def test_the_variables_say_who_exports(monkeypatch: pytest.MonkeyPatch) -> None:
    assert describe_resource().attributes["service.name"] == "ekiben"
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "service.name=a,deployment.environment.name=test")
    assert describe_resource().attributes["deployment.environment.name"] == "test"
    monkeypatch.setenv("OTEL_SERVICE_NAME", "delays")
    assert describe_resource().attributes["service.name"] == "delays"


@pytest.fixture
def traced() -> Iterator[tuple[Tracing, InMemorySpanExporter]]:
    exporter, provider = InMemorySpanExporter(), TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return Tracing(provider.get_tracer("test")), exporter


def ask(tracing: Tracing, status: int, **headers: str) -> None:
    given = {name.encode(): value.encode() for name, value in headers.items()}
    span = tracing.begin_http("predict", "POST", "/predict/m", "/predict[/{model}]", "http", given)
    span.end(status, {"rows": 3, "model": "m", "version": ""})


@pytest.mark.parametrize(("status", "error"), [(200, False), (400, False), (500, True), (504, True)])
def test_a_span_continues_its_callers_trace(
    traced: tuple[Tracing, InMemorySpanExporter], status: int, error: bool
) -> None:
    ask(traced[0], status, traceparent=f"00-{TRACE}-{PARENT}-01", tracestate="a=b")
    (span,) = traced[1].get_finished_spans()
    known: Any = span.get_span_context()
    assert (f"{known.trace_id:032x}", f"{span.parent.span_id:016x}") == (TRACE, PARENT)  # type: ignore[union-attr]
    assert known.trace_state.get("a") == "b"
    assert span.attributes == {
        "http.request.method": "POST", "http.route": "/predict[/{model}]", "url.path": "/predict/m",
        "url.scheme": "http", "ekiben.protocol": "predict", "ekiben.rows": 3, "ekiben.model.name": "m",
        "http.response.status_code": status, **({"error.type": str(status)} if status >= 400 else {}),
    }  # fmt: skip
    assert (span.status.status_code.name == "ERROR") is error


def test_a_caller_that_is_not_sampled_has_no_span(traced: tuple[Tracing, InMemorySpanExporter]) -> None:
    ask(traced[0], 200, traceparent=f"00-{TRACE}-{PARENT}-00")
    ask(traced[0], 200, traceparent="00-hostile\n-01")  # as if there were none
    (span,) = traced[1].get_finished_spans()
    assert span.parent is None


def test_callers_write_nothing_into_the_log(
    traced: tuple[Tracing, InMemorySpanExporter], caplog: pytest.LogCaptureFixture
) -> None:
    parent = f"00-{TRACE}-{PARENT}-01"
    ask(traced[0], 200, baggage="\x9b31m=\xe9," * 100, tracestate="\x9b31m;;,=", traceparent=parent)
    called = traced[0].begin_grpc("predict", "/a/B", [("baggage", "a b,c d"), ("traceparent", parent)])
    called.end(200, {})
    assert called.ids[0] == TRACE
    assert len(traced[1].get_finished_spans()) == 2
    assert not caplog.records


def test_series_are_converted() -> None:
    registry = CollectorRegistry()
    Counter("asked", "Asked.", ["code"], registry=registry).labels("200").inc(3)
    took = PrometheusHistogram("took", "Took.", registry=registry, buckets=(1, 2))
    for seconds in (0.5, 1.5, 1.5, 9):
        took.observe(seconds)
    metrics = {one.name: one.data for family in registry.collect() for one in convert(family, 1, 2)}
    asked, histogram = metrics["asked"], metrics["took"]
    assert isinstance(asked, Sum)
    assert [(dict(one.attributes or {}), one.value) for one in asked.data_points] == [({"code": "200"}, 3)]
    assert isinstance(histogram, Histogram)
    (point,) = histogram.data_points
    assert (point.count, point.sum, list(point.bucket_counts), list(point.explicit_bounds)) == (
        4, 12.5, [1, 2, 1], [1, 2]
    )  # fmt: skip
