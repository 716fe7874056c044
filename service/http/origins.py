"""The origins whose pages may call: whether what was set is what a browser will send."""

import re

ANY = "*"
# As a browser writes it (RFC 6454 6.2): in small letters, without a path and without the port that its scheme implies.
ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://(\[[0-9a-f:]+\]|[a-z0-9._-]+)(:[0-9]{1,5})?")
IMPLIED = {"http": ":80", "https": ":443"}
EXPECTED = "expected `*`, or origins such as https://shop.example,http://localhost:5173"


def check_origins(setting: str) -> str:
    """Reject what is neither `*` nor a list of origins: an origin that no browser sends would allow nobody."""
    origins = split_origins(setting)
    if ANY in origins and len(origins) > 1:
        raise ValueError("`*` is every origin: leave out the others")
    for origin in origins:
        if origin != ANY and (fault := find_fault(origin)):
            raise ValueError(f"{origin!r} {fault}")
    return ",".join(origins)


def split_origins(setting: str) -> tuple[str, ...]:
    """Return the origins that a setting lists."""
    return tuple(dict.fromkeys(filter(None, (origin.strip() for origin in setting.split(",")))))


def find_fault(origin: str) -> str:
    """Return what is wrong with an origin, "" if nothing is."""
    if origin == "null":
        return "is what every sandboxed page sends, whoever made it: give it an origin of its own"
    scheme, found, rest = origin.partition("://")
    host = rest.partition("/")[0]
    if found and "/" in rest:
        return f"has a path, which no origin has: write {scheme}://{host}"
    if not ORIGIN.fullmatch(origin):
        return f"is not an origin: {EXPECTED}"
    if origin.endswith(IMPLIED.get(scheme, " ")):
        return f"has the port that browsers leave out: write {origin.removesuffix(IMPLIED[scheme])}"
    return ""
