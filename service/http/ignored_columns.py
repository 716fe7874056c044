"""The header, over gRPC the metadata, that names the columns of no feature which were left out of a request's rows."""

from urllib.parse import quote

from ekiben.contract.field_fitting import MAX_NAMED, Ignored

IGNORED_HEADER = b"x-ignored-columns"
MAX_CHARACTERS = 32  # of a name: 4 KB at most, which proxies put up with
PLAIN = "!#$()*./:;=?@[]^_`{|}~"  # besides letters and digits; not what ends a name or a line, or begins markup


def ignored_header(ignored: Ignored) -> tuple[tuple[bytes, bytes], ...]:
    """Return the header that names what was left out of the rows, none if nothing was.

    Whatever the names hold, it is ASCII on one line: the rest is %-encoded UTF-8. A + stands for more than MAX_NAMED.
    """
    if not ignored:
        return ()
    named = [quote(_shorten(name), PLAIN, errors="replace") for name in ignored[:MAX_NAMED]]
    return ((IGNORED_HEADER, ", ".join([*named, "+"][: len(ignored)]).encode()),)


def _shorten(name: str) -> str:
    return name if len(name) <= MAX_CHARACTERS else f"{name[:MAX_CHARACTERS]}…"
