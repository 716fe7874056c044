"""The tracing of this process, if the OTEL_* variables ask for it; OpenTelemetry is imported only then."""

import os
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from ekiben.contract.errors import UserError

if TYPE_CHECKING:
    from ekiben.service.tracing.spans import Tracing

LEAVING_S = 1.0  # for the last spans and numbers, if a collector takes them
_tracing: "list[Tracing]" = []  # one, if this process traces
_shutdowns: list[Callable[[], object]] = []


def get_tracing() -> "Tracing | None":
    """Return what makes this process's spans; what asks once at its beginning must come after `start_exporting`."""
    return _tracing[0] if _tracing else None


def asks_for_export(environment: Mapping[str, str]) -> bool:
    """Return whether any variable may ask for traces or metrics: the SDK need not be imported to know of none."""
    return any(name.startswith("OTEL_") and "EXPORTER" in name for name in environment)


def start_exporting() -> None:
    """Begin to trace, and to export metrics, as far as the variables ask for it."""
    if not asks_for_export(os.environ):
        return
    from ekiben.service.tracing.exporters import describe_resource, is_exported, open_exporter, open_provider

    if is_exported("traces", os.environ):
        from ekiben.service.tracing.spans import Tracing

        provider = open_provider()
        _tracing[:] = [Tracing(provider.get_tracer("ekiben"))]
        _shutdowns.append(provider.shutdown)
    if is_exported("metrics", os.environ):
        from ekiben.service.tracing.metric_export import MetricExport

        _shutdowns.append(MetricExport(open_exporter("metrics"), describe_resource()).shutdown)


def check_export(environment: Mapping[str, str]) -> None:
    """Raise UserError if what the variables ask for can't be begun: the SDK reads most of them only as it begins."""
    if not asks_for_export(environment):
        return
    try:
        from ekiben.service.tracing.exporters import check_exporters

        check_exporters(environment)
    except UserError:
        raise
    except Exception as error:  # the SDK's, of many kinds
        raise UserError(f"the OTEL_* variables can't be used: {str(error).rstrip('.')}") from None


def stop_exporting() -> None:
    """Export what is left within a second; a collector that does not take it keeps nobody."""
    while _shutdowns:
        thread = threading.Thread(target=_shutdowns.pop(), name="otel-shutdown", daemon=True)
        thread.start()
        thread.join(LEAVING_S)
    _tracing.clear()
