"""Requests of many rows that are rejected, in every protocol: what they held must go with their answer."""

from functools import partial

from ekiben.load_tests.hostile.attack import LATE, REJECTED, Attack, AttackTarget, Run
from ekiben.load_tests.hostile.calls import LATE_CODES, REJECTED_CODES, ask_rejected_over_grpc, call_all
from ekiben.load_tests.hostile.rows import (
    ask,
    ask_rejected,
    csv,
    good_rows,
    instances,
    parquet,
    records,
    short_wrong_rows,
)  # fmt: skip
from ekiben.load_tests.hostile.wire import flood, post_packed
from ekiben.load_tests.requests.grpc_dialects import OIP_RAW, OIP_TYPED, TFS_GRPC
from ekiben.load_tests.requests.http_dialects import INVOCATIONS, OIP_BINARY, OIP_JSON, PREDICT, TFS_REST

ROWS = 5000
CONNECTIONS = 8
TIMES = 40
PATIENCE_MS = 30
OVER_HTTP = {"predict": PREDICT, "tfs": TFS_REST, "oip-json": OIP_JSON, "oip-binary": OIP_BINARY, "mlflow": INVOCATIONS}
OVER_GRPC = {"oip-raw": OIP_RAW, "oip-typed": OIP_TYPED, "tfs": TFS_GRPC}


def reject_packed(target: AttackTarget) -> Run:
    body = post_packed("/predict", short_wrong_rows())
    return flood(target, [body] * target.times(48), CONNECTIONS)


def reject_packed_instances(target: AttackTarget) -> Run:
    return flood(target, [instances(target)] * target.times(24), CONNECTIONS)


def reject_over_http(name: str, target: AttackTarget) -> Run:
    return flood(target, [ask_rejected(target, OVER_HTTP[name], ROWS)] * target.times(TIMES), CONNECTIONS)


def reject_records(target: AttackTarget) -> Run:
    return flood(target, [records(target, ROWS)] * target.times(TIMES), CONNECTIONS)


def reject_csv(target: AttackTarget) -> Run:
    return flood(target, [csv(target, ROWS)] * target.times(TIMES), CONNECTIONS)


def reject_parquet(target: AttackTarget) -> Run:
    return flood(target, [parquet(target, ROWS)] * target.times(TIMES), CONNECTIONS)


def reject_over_grpc(name: str, target: AttackTarget) -> Run:
    return call_all(target, [ask_rejected_over_grpc(target, OVER_GRPC[name], ROWS)] * target.times(TIMES), CONNECTIONS)


def time_out_over_http(name: str, target: AttackTarget) -> Run:
    request = ask(target, OVER_HTTP[name], good_rows(target, ROWS))
    hasty = request.replace(b"\r\n", b"\r\nX-Request-Timeout-Ms: %d\r\n" % PATIENCE_MS, 1)
    return flood(target, [hasty] * target.times(TIMES), CONNECTIONS)


def time_out_over_grpc(target: AttackTarget) -> Run:
    case = target.ask(OIP_RAW, ROWS)
    return call_all(target, [case] * target.times(TIMES), CONNECTIONS, timeout_s=PATIENCE_MS / 1000)


WRONG_END = f"{ROWS} rows, the last of them wrong"
HASTE = f"{ROWS} good rows in {PATIENCE_MS} ms"
ATTACKS = (
    Attack("reject-gzip", "bodies of some KB that unpack to 20,000 wrong rows", reject_packed, REJECTED),
    Attack("reject-gzip-tfs", "8 MB of wrong rows in some KB, TensorFlow Serving", reject_packed_instances, REJECTED),
    *(Attack(f"reject-{name}", WRONG_END, partial(reject_over_http, name), REJECTED) for name in OVER_HTTP),
    Attack("reject-records", f"{WRONG_END}, as MLflow's records", reject_records, REJECTED),
    Attack("reject-csv", f"{WRONG_END}, as CSV", reject_csv, REJECTED),
    Attack("reject-parquet", f"{ROWS} rows of Parquet, all of them wrong", reject_parquet, REJECTED),
    *(
        Attack(f"reject-grpc-{name}", f"{WRONG_END}, over gRPC", partial(reject_over_grpc, name), REJECTED_CODES)
        for name in OVER_GRPC
    ),
    *(Attack(f"time-out-{name}", HASTE, partial(time_out_over_http, name), LATE) for name in OVER_HTTP),
    Attack("time-out-grpc", f"{HASTE}, over gRPC", time_out_over_grpc, LATE_CODES),
)
