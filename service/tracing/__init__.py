"""OpenTelemetry: traces and metrics by the OTEL_* variables; without them there is nothing on the way of a request."""
