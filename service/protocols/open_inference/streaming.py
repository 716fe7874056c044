"""Triton's `ModelStreamInfer`: a stream of requests, each answered as by `ModelInfer`, or with what is wrong."""

from google.protobuf.message import DecodeError

from ekiben.service.offload import LARGE_BYTES
from ekiben.service.protocols.open_inference.message_heads import InferRequest
from ekiben.service.protocols.protocol import AnswerStream
from ekiben.service.protos import message

Response = message("inference.ModelStreamInferResponse")
RESPONSE_TAG = b"\x12"  # of the field infer_response, on the wire


def wrap(response: bytes) -> bytes:
    """Return a response of the stream that holds one of ModelInfer's, which is not parsed again for that."""
    size, length = len(response), b""
    while size > 127:
        length += bytes([size & 127 | 128])
        size >>= 7
    return RESPONSE_TAG + length + bytes([size]) + response


def wrap_error(sentence: str, request: bytes) -> bytes:
    """Return a response that says what is wrong, with the request's id if it can be read."""
    return bytes(Response(error_message=sentence, infer_response={"id": read_id(request)}).SerializeToString())


def read_id(request: bytes) -> str:
    """Return a request's id; of a large one, which would take long to parse, none."""
    if len(request) > LARGE_BYTES:
        return ""
    try:
        return str(InferRequest.FromString(request).id)
    except DecodeError:
        return ""


STREAMS = {"ModelStreamInfer": AnswerStream("ModelInfer", wrap, wrap_error)}
