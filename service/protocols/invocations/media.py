"""Which form a body has and which the answer should have, by the request's headers.

An answer is JSON, CSV or JSON lines: what Accept weighs most, the first of these where it is all
the same to it. Where it says nothing or `*/*`, SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT says it, as in
SageMaker's own containers. Only a request that accepts none is rejected.
"""

from functools import lru_cache

from ekiben.service.errors import BadRequest

JSON, CSV, LINES = "application/json", "text/csv", "application/jsonlines"
PARQUET = "application/vnd.apache.parquet"
# None is registered: the first is SageMaker's, and an answer is called what its caller calls it.
LINES_NAMES = (LINES, "application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines")
ALIASES = {"application/x-parquet": PARQUET} | dict.fromkeys(LINES_NAMES, LINES)
READ = f"send {JSON}, {LINES}, {CSV} or {PARQUET}"
HEADER = {"present": True, "absent": False}  # of a CSV file, as RFC 4180 says it
CHARSETS = ("utf-8", "utf8")
ANY = "*/*"
APPLICATION = ("application/*", ANY)
WRITTEN = ((JSON, APPLICATION), (CSV, ("text/*", ANY)), *((name, APPLICATION) for name in LINES_NAMES))
UNNAMED = ""  # the content type of a body that comes without one: it is tried as JSON
REMEMBERED = 64


@lru_cache(REMEMBERED)
def read_content_type(given: bytes | None) -> tuple[str, bool | None]:
    """Return the form of the body, and whether a CSV body says it has a header row; None: it doesn't say."""
    kind, *parameters = ((given or b"").decode("latin-1")).split(";")
    kind = kind.strip().lower()
    kind = ALIASES.get(kind, kind)
    if kind not in (JSON, CSV, LINES, PARQUET, UNNAMED):
        raise BadRequest(415, f"content type {kind!r} is not supported: {READ}")
    header = None
    for parameter in filter(None, map(str.strip, parameters)):
        name, _, value = parameter.lower().partition("=")
        value = value.strip('"')
        if name == "header" and value in HEADER and kind == CSV:
            header = HEADER[value]
        elif name != "charset" or value not in CHARSETS:
            raise BadRequest(415, f"{kind}: parameter {parameter!r} is not supported: send charset=utf-8 or none")
    return kind, header


@lru_cache(REMEMBERED)
def read_accept(given: bytes | None, default: str) -> str:
    """Return the form of the answer; raise BadRequest if there is none that is accepted."""
    text = (given or b"").decode("latin-1").strip()
    weights = dict(map(_weigh, (default if text in ("", ANY) else text).lower().split(",")))
    best = max(WRITTEN, key=lambda written: _find_weight(written, weights))  # of two that weigh the same the first
    if _find_weight(best, weights) <= 0:
        raise BadRequest(406, f"{text or default!r} is not written here: accept {JSON}, {CSV} or {LINES}")
    return best[0]


def _find_weight(written: tuple[str, tuple[str, ...]], weights: dict[str, float]) -> float:
    """Return what the most special of the ranges that cover a form says of it."""
    kind, ranges = written
    return next((weights[name] for name in (kind, *ranges) if name in weights), 0.0)


def _weigh(part: str) -> tuple[str, float]:
    """Return a range of Accept and its weight."""
    kind, *parameters = (piece.strip() for piece in part.split(";"))
    weight = next((piece[2:] for piece in parameters if piece.startswith("q=")), "1")
    try:
        return kind, float(weight)
    except ValueError:
        return kind, 1.0
