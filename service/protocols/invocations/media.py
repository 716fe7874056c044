"""Which form a body has and which the answer should have, by the request's headers."""

from collections.abc import Mapping

from service.errors import BadRequest

JSON, CSV, PARQUET = "application/json", "text/csv", "application/vnd.apache.parquet"
ALIASES = {"application/x-parquet": PARQUET, "": JSON}
HEADER = {"present": True, "absent": False}  # of a CSV file, as RFC 4180 says it


def find_given(headers: Mapping[bytes, bytes]) -> tuple[str, bool | None]:
    """Return the form of the body, and whether a CSV body says it has a header row; None: it doesn't say."""
    given = headers.get(b"content-type", b"").decode("latin-1")
    kind, *parameters = (part.strip().lower() for part in given.split(";"))
    kind = ALIASES.get(kind, kind)
    if kind not in (JSON, CSV, PARQUET):
        raise BadRequest(415, f"content type {kind!r} is not supported: send {JSON}, {CSV} or {PARQUET}")
    header = None
    for parameter in filter(None, parameters):
        name, _, value = parameter.partition("=")
        if name == "header" and value in HEADER and kind == CSV:
            header = HEADER[value]
        elif name != "charset" or value.strip('"') != "utf-8":
            raise BadRequest(415, f"{kind}: parameter {parameter!r} is not supported: send charset=utf-8 or none")
    return kind, header


def find_accepted(headers: Mapping[bytes, bytes], default: str) -> str:
    """Return the form of the answer: JSON unless only CSV is accepted; raise BadRequest if it is neither."""
    given = headers.get(b"accept", b"").decode("latin-1").lower()
    accepted = [part.partition(";")[0].strip() for part in (given or default).split(",")]
    if "*/*" in accepted and not given.startswith(CSV):
        return JSON
    for kind in accepted:
        if kind in (JSON, "application/*", "*/*"):
            return JSON
        if kind in (CSV, "text/*"):
            return CSV
    raise BadRequest(406, f"accept {given!r} can't be answered: accept {JSON} or {CSV}")
