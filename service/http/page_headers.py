"""The headers of every page for people: what a browser may do on it, and that it tells nobody of it."""

from ekiben.contract.page import POLICY
from ekiben.service.http.messages import Header

HTML = b"text/html; charset=utf-8"


def restrict_browser(policy: str) -> tuple[Header, ...]:
    """Return the headers of a page with this content policy; nobody may frame it."""
    return (
        (b"content-security-policy", f"{policy}; frame-ancestors 'none'".encode()),
        (b"x-content-type-options", b"nosniff"),
        (b"referrer-policy", b"no-referrer"),
    )


def allow_own_files(images: str = "'self'") -> str:
    """Return the content policy of a page whose scripts and styles are files of this service."""
    return (
        f"default-src 'none'; script-src 'self'; style-src 'self'; img-src {images}; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'"
    )


REPORT: tuple[Header, ...] = (
    *restrict_browser(POLICY),
    (b"cache-control", b"no-store"),
)  # one file, made for each call
