"""What Triton's extensions tell of the model: configuration and statistics."""

from typing import Any

from ekiben.contract.tensors import TensorSpec, input_specs, output_specs
from ekiben.model.engine import MAX_BATCH_ROWS
from ekiben.model.package import PackedModel
from ekiben.service.protocols.open_inference.datatypes import DATATYPES
from ekiben.service.protocols.open_inference.metadata import SERVER, name_platform
from ekiben.service.settings import Settings
from ekiben.service.telemetry.statistics import DurationTotal, Statistics


def describe_config(model: PackedModel, settings: Settings) -> dict[str, Any]:
    """Return the model's configuration."""
    return {
        "name": model.name,
        "platform": name_platform(model),
        "backend": SERVER,
        "max_batch_size": min(MAX_BATCH_ROWS, settings.max_request_rows),
        "input": [
            _describe_tensor(spec) | ({"optional": True} if feature.optional else {})
            for spec, feature in zip(input_specs(model.schema), model.schema.features, strict=True)
        ],
        "output": [_describe_tensor(spec) for spec in output_specs(model.schema.target)],
        "dynamic_batching": {},
    }


def describe_statistics(model: PackedModel, statistics: Statistics) -> dict[str, Any]:
    """Return what one version has answered; with several workers each process counts for itself."""
    names = ("success", "fail", "queue", "compute_input", "compute_infer", "compute_output")
    durations = {name: _describe_duration(getattr(statistics, name)) for name in names}
    nothing = _describe_duration(DurationTotal())
    return {
        "name": model.name,
        "version": model.version,
        "last_inference": statistics.last_inference_ms,
        "inference_count": statistics.inference_count,
        "execution_count": statistics.execution_count,
        "inference_stats": {**durations, "cache_hit": nothing, "cache_miss": nothing},  # there is no cache
        "batch_stats": [_describe_batches(rows, durations) for rows, durations in statistics.batches.items()],
    }


def _describe_tensor(spec: TensorSpec) -> dict[str, Any]:
    return {"name": spec.name, "data_type": DATATYPES[spec.datatype].config, "dims": [spec.width or 1]}


def _describe_batches(rows: int, durations: DurationTotal) -> dict[str, Any]:
    """Return what batches of one size took; what is measured by request, not by batch, took 0 ns."""
    others = _describe_duration(DurationTotal(durations.count))
    infer = _describe_duration(durations)
    return {"batch_size": rows, "compute_input": others, "compute_infer": infer, "compute_output": others}


def _describe_duration(durations: DurationTotal) -> dict[str, int]:
    return {"count": durations.count, "ns": durations.ns}
