"""SageMaker's InferenceId: the id by which a caller will send the label of its prediction."""

from ekiben.service.errors import BadRequest
from ekiben.service.prediction_ids import MAX_ID_BYTES, is_usable

INFERENCE_ID_HEADER = b"x-amzn-sagemaker-inference-id"


def read_inference_id(given: bytes | None) -> bytes:
    """Return the id, b"" if there is none; raise BadRequest if no label could name it."""
    if not given or is_usable(given):
        return given or b""
    shown = given[:MAX_ID_BYTES].decode("latin-1")
    wanted = f"expected up to {MAX_ID_BYTES} printable ASCII characters"
    raise BadRequest(400, f"{INFERENCE_ID_HEADER.decode()}: {wanted}, got {shown!r}")
