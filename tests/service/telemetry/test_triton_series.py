"""Triton's names for what models answer."""

from prometheus_client import generate_latest

from ekiben.service.telemetry.statistics import Recorder
from ekiben.service.telemetry.triton_series import MAX_VERSIONS, OTHERS, TritonSeries, drop_totals


def test_metrics_have_tritons_names_labels_and_units() -> None:
    series, recorder = TritonSeries(), Recorder()
    recorder.record_encoding(0.001, 2)
    recorder.record_wait(0.005)
    recorder.record_batch(7, 0.002, 2)
    for _ in range(2):
        recorder.record_answer(0.004)
    for reason in ("overloaded", "cancelled", "failed", "other"):
        recorder.record_failure(0.001, reason)
    series.count("shop", "3", recorder.take(), 5)
    series.count("shop", "3", recorder.take(), 4)  # nothing more
    text = drop_totals(generate_latest)().decode()
    lines = dict(line.rsplit(" ", 1) for line in text.splitlines() if line.startswith("nv_inference_"))
    assert "nv_inference_" in text
    assert not any("_total" in line for line in lines)
    of_model = {name.removesuffix('{model="shop",version="3"}'): float(value) for name, value in lines.items()}
    assert (
        of_model.items()
        >= {
            "nv_inference_request_success": 2,
            "nv_inference_count": 7,
            "nv_inference_exec_count": 1,
            "nv_inference_pending_request_count": 4,
            "nv_inference_request_duration_us": 8000,
            "nv_inference_queue_duration_us": 3000,
            "nv_inference_compute_input_duration_us": 2000,
            "nv_inference_compute_infer_duration_us": 4000,
            "nv_inference_compute_output_duration_us": 0,
        }.items()
    )
    reasons = [line for line in lines if line.startswith("nv_inference_request_failure{")]
    assert sorted(line.split('reason="')[1].split('"')[0] for line in reasons) == [
        "BACKEND", "CANCELED", "OTHER", "REJECTED"
    ]  # fmt: skip
    assert "# TYPE nv_inference_count counter" in text
    for number in range(MAX_VERSIONS):
        series.count("shop", str(number + 10), recorder.take(), 0)
    assert f'nv_inference_count{{model="{OTHERS}",version=""}} 0.0' in drop_totals(generate_latest)().decode()
