"""The service's Prometheus metrics, served by BentoML's /metrics together with its own."""

from prometheus_client import Counter, Gauge, Histogram

from service.model import PackedModel

DURATIONS_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
COMPUTE_S = (0.00001, 0.000025, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.25, 1)
BATCH_ROWS = tuple(2**power for power in range(13))

_requests = Counter("inference_requests", "Requests answered, by HTTP or gRPC code.", ["protocol", "code"])
_rejected = Counter("inference_rejected", "Good requests refused, by reason.", ["protocol", "reason"])
_durations = Histogram(
    "inference_request_duration_seconds", "From request to answer.", ["protocol"], buckets=DURATIONS_S
)
_wait = Histogram("inference_queue_duration_seconds", "A request's wait for its batch.", buckets=DURATIONS_S)
_compute = Histogram("inference_compute_duration_seconds", "The engine's time for a batch.", buckets=COMPUTE_S)
_batch_rows = Histogram("inference_batch_rows", "Rows of a batch.", buckets=BATCH_ROWS)
_waiting_rows = Gauge("inference_waiting_rows", "Rows in the queue now.", multiprocess_mode="livesum")
_model_info = Gauge(
    "model_info",
    "The model being served; always 1.",
    ["model", "version", "engine", "run_id", "schema_digest"],
    multiprocess_mode="livemax",
)


def count_request(protocol: str, code: int, seconds: float) -> None:
    """Count one answered request and its duration."""
    _requests.labels(protocol, code).inc()
    _durations.labels(protocol).observe(seconds)


def count_rejected(protocol: str, reason: str) -> None:
    """Count one good request that got no answer."""
    _rejected.labels(protocol, reason).inc()


def observe_wait(seconds: float) -> None:
    """Record how long a request's rows waited for their batch."""
    _wait.observe(seconds)


def observe_batch(rows: int, seconds: float) -> None:
    """Record one batch and how long the engine took."""
    _batch_rows.observe(rows)
    _compute.observe(seconds)


def set_waiting_rows(rows: int) -> None:
    """Record how many rows are in the queue."""
    _waiting_rows.set(rows)


def set_model_info(model: PackedModel) -> None:
    """Record which model this process serves."""
    labels = model.name, model.version, model.manifest["engine"], model.manifest["run_id"], model.schema.digest
    _model_info.labels(*labels).set(1)
