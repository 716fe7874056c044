"""Messages over gRPC that are dear to read, or stand for far more than they hold."""

import gzip
from collections.abc import Callable
from functools import partial
from typing import Any

import grpc

from ekiben.load_tests.hostile.attack import Attack, AttackTarget, Run
from ekiben.load_tests.hostile.calls import REJECTED_CODES, call_all
from ekiben.load_tests.hostile.protobuf import many_tensors, typed, unknown_fields
from ekiben.load_tests.hostile.rows import MAX_BYTES, MAX_ROWS, good_rows
from ekiben.load_tests.requests.grpc_dialects import OIP_RAW, TFS_GRPC, ModelInferRequest, PredictRequest, serialize
from ekiben.load_tests.requests.request_case import RequestCase


def send_message(target: AttackTarget, path: str, body: bytes, times: int, packed: bool) -> Run:
    """Call with one message again and again."""
    named: dict[str, Any] = {"compression": grpc.Compression.Gzip} if packed else {}
    case = RequestCase(OIP_RAW, path, {}, body, "", None)
    return call_all(target, [case] * target.times(times), 8, sent=len(gzip.compress(body)) if packed else 0, **named)


def send_heavy(target: AttackTarget, name: str, packed: bool) -> Run:
    return send_message(target, OIP_RAW.path, HEAVY[name](), 16, packed)


def raw_strings(target: AttackTarget) -> bytes:
    """Return a message whose raw contents are two million empty strings, for each column as many as there is room."""
    name = target.source.schema.names[1]
    size = MAX_BYTES // 4 - 100
    inputs = [{"name": name, "shape": [size, 1], "datatype": "BYTES"}]
    model = target.source.schema.name
    return serialize(ModelInferRequest(model_name=model, inputs=inputs, raw_input_contents=[bytes(4 * size)]))


def spread(target: AttackTarget, rows: int) -> Run:
    """Call TensorFlow Serving with one value for each column, which stands for so many rows."""
    _, body = TFS_GRPC.encode(target.source.schema, good_rows(target, 1))
    request = PredictRequest.FromString(body)
    for tensor in request.inputs.values():
        tensor.tensor_shape.dim[0].size = rows
    return send_message(target, TFS_GRPC.path, serialize(request), 60, False)


def send_raw(target: AttackTarget, packed: bool) -> Run:
    return send_message(target, OIP_RAW.path, raw_strings(target), 16, packed)


CODES = REJECTED_CODES | {"NOT_FOUND", "OK", "UNIMPLEMENTED", "OUT_OF_RANGE"}
HEAVY: dict[str, Callable[[], bytes]] = {
    "strings": partial(typed, "bytes_contents", b"\x42\0"),
    "integers": partial(typed, "int64_contents", b"\1\1"),
    "booleans": partial(typed, "bool_contents", b"\1\1"),
    "tensors": many_tensors,
    "fields": unknown_fields,
}
PACKINGS = (("", "", False), ("-gzip", ", compressed", True))


ATTACKS = (
    *(
        Attack(f"grpc-{name}{end}", f"8 MB of {name}{how}", partial(send_heavy, name=name, packed=packed), CODES)
        for name in HEAVY
        for end, how, packed in PACKINGS
    ),
    *(
        Attack(f"grpc-raw{end}", f"two million empty strings, raw{how}", partial(send_raw, packed=packed), CODES)
        for end, how, packed in PACKINGS
    ),
    Attack(
        "grpc-spread",
        f"messages of 1 KB that stand for {MAX_ROWS:,} rows",
        partial(spread, rows=MAX_ROWS),
        CODES,
    ),
    Attack("grpc-spread-endless", "messages of 1 KB that stand for a billion rows", partial(spread, rows=10**9), CODES),
)
