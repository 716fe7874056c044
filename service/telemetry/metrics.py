"""What the service counts; ekiben.service.telemetry.exposition serves it.

A request is counted in plain Python and handed to Prometheus once a second: its counters live
in files shared by all workers, and writing to them took 8 of a request's 55 µs.

prometheus_client keeps one registry for a process, and so does this module what it is handed: it is the one place.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable

from ekiben.model.package import PackedModel
from ekiben.service.explaining.counts import ExplanationCounts
from ekiben.service.telemetry.buffered_histogram import BufferedHistogram
from ekiben.service.telemetry.codes import classify
from ekiben.service.telemetry.series import BATCH_ROWS, COMPUTE_S, DURATIONS_S, get_series
from ekiben.service.telemetry.statistics import Counts
from ekiben.service.telemetry.triton_series import TritonSeries

FLUSH_S = 1.0
MAX_MODELS, OTHERS = 200, "_others"  # with series of their own; no model's name begins like that


_rejected_counts: Counter[tuple[str, str]] = Counter()
_log_counts: Counter[str] = Counter()  # rows that were written, "", and dropped, by reason
_models: set[str] = set()  # that have series of their own
_waiting: set[str] = set()  # those of which rows have waited
_explaining: set[str] = set()  # those of which explanations have waited
_triton: list[TritonSeries] = []  # one, if they are wanted
_duration_of: dict[tuple[str, int | str], BufferedHistogram] = {}  # by protocol and code; it counts them, too
waited = BufferedHistogram(DURATIONS_S)
encoded = BufferedHistogram(COMPUTE_S)
computed = BufferedHistogram(COMPUTE_S)
batched = BufferedHistogram(BATCH_ROWS)


def count_request(protocol: str, code: int | str, seconds: float, times: int = 1) -> None:
    """Count answered requests and how long each took."""
    observed = _duration_of.get((protocol, code))
    if observed is None:
        observed = _duration_of[protocol, code] = BufferedHistogram(DURATIONS_S)
    observed.observe(seconds, times)


def count_rejected(protocol: str, reason: str, times: int = 1) -> None:
    """Count good requests that got no answer."""
    _rejected_counts[protocol, reason] += times


def count_unknown_fields(name: str, requests: int = 1) -> None:
    """Count requests whose unknown fields were ignored."""
    get_series().unknown_fields.labels(label_model(name)).inc(requests)


def count_logged(rows: int) -> None:
    """Count rows that the row log has written."""
    _log_counts[""] += rows


def count_log_dropped(reason: str, rows: int) -> None:
    """Count rows that the row log has lost."""
    _log_counts[reason] += rows


def observe_batch(rows: int, seconds: float) -> None:
    """Record one batch and how long the engine took."""
    batched.observe(rows)
    computed.observe(seconds)


def begin(models: Iterable[PackedModel], triton: bool) -> None:
    """Count a worker that begins, and the models that it serves; `triton`: under Triton's names, too."""
    get_series().worker_starts.inc()
    if triton:
        _triton.append(TritonSeries())
    for model in models:
        set_model_info(model)


def set_model_info(model: PackedModel, served: int = 1) -> None:
    """Record which model this process serves, or with 0 that it does no more."""
    labels = model.name, model.version, model.manifest.engine, model.manifest.run_id, model.schema.digest
    if label_model(model.name) != OTHERS:
        get_series().model_info.labels(*labels).set(served)


def label_model(name: str) -> str:
    """Return what stands for a model in the series: who loads thousands, one after the other, gets no more of them."""
    if name not in _models and len(_models) >= MAX_MODELS:
        return OTHERS
    _models.add(name)
    return name


def count_model(name: str, version: str, counts: Counts, waiting_rows: int = 0) -> None:
    """Count what a version of a model has answered since it was counted last."""
    for triton in _triton:
        triton.count(name, version, counts, waiting_rows)
    series, label = get_series(), label_model(name)
    for result, requests in (("answered", counts.answered), ("failed", counts.failed)):
        if requests:
            series.model_requests.labels(label, result).inc(requests)
    if counts.answered_s:
        series.model_request_seconds.labels(label).inc(counts.answered_s)
    if counts.rows:
        series.model_rows.labels(label).inc(counts.rows)
        series.model_compute_seconds.labels(label).inc(counts.computed_s)


def set_model_waiting(name: str, rows: int) -> None:
    """Record how many rows of a model wait."""
    if rows or name in _waiting:  # what never waited has no series
        get_series().model_waiting_rows.labels(label_model(name)).set(rows)
        _waiting.add(name)


def count_explanations(name: str, counts: ExplanationCounts) -> None:
    """Count what a model has explained since it was counted last."""
    series, label = get_series(), label_model(name)
    for result, requests in (("answered", counts.answered), ("failed", counts.failed)):
        if requests:
            series.explanations.labels(label, result).inc(requests)
    if counts.answered or counts.failed or counts.computed_rows:  # what was never asked has no series
        series.explanation_seconds.labels(label).inc(counts.seconds)
        series.explained_rows.labels(label).inc(counts.rows)
        series.explanation_pairs.labels(label).inc(counts.pairs)
        series.explanation_computed_rows.labels(label).inc(counts.computed_rows)


def set_explanations_waiting(name: str, rows: int) -> None:
    """Record how many rows for the engine a model's explanations still need."""
    if rows or name in _explaining:
        get_series().explanation_waiting_rows.labels(label_model(name)).set(rows)
        _explaining.add(name)


def count_reload(result: str) -> None:
    """Count a version that took another's place, or was to."""
    get_series().reloads.labels(result).inc()


def set_certificate_expiry(file: str, seconds: float) -> None:
    """Record when the certificate in use expires, in seconds since 1970."""
    get_series().certificate_expiry.labels(file).set(seconds)


def count_registry_look(result: str) -> None:
    """Count a look at the registry that MODEL_SOURCE names."""
    get_series().registry_looks.labels(result).inc()


def flush_regularly(read_waiting_rows: Callable[[], int], count_models: Callable[[], None]) -> None:
    """Hand everything to Prometheus now and every FLUSH_S on this event loop; `count_models` calls `count_model`."""
    flush()
    count_models()
    get_series().waiting_rows.set(read_waiting_rows())
    asyncio.get_running_loop().call_later(FLUSH_S, flush_regularly, read_waiting_rows, count_models)


def flush() -> None:
    """Hand everything that was counted to Prometheus."""
    series = get_series()
    for (protocol, code), observed in _duration_of.items():
        if observed.times:
            series.requests.labels(protocol, code).inc(observed.times)
            observed.flush(series.durations.labels(protocol, classify(code)))
    for (protocol, reason), count in _rejected_counts.items():
        series.rejected.labels(protocol, reason).inc(count)
    _rejected_counts.clear()
    for reason, rows in _log_counts.items():
        (series.log_dropped.labels(reason) if reason else series.logged_rows).inc(rows)
    _log_counts.clear()
    waited.flush(series.wait)
    encoded.flush(series.encode)
    computed.flush(series.compute)
    batched.flush(series.batch_rows)
