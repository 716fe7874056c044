"""The files of TLS: whether a server can use them, and what it makes of them."""

import ssl
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ekiben.service.secrets.reading import read_secret

ALPN = ("h2", "http/1.1")  # what may be spoken inside, the first that a client knows
CERTIFICATE, KEY, CLIENT_CA = "TLS_CERT_FILE", "TLS_KEY_FILE", "TLS_CLIENT_CA_FILE"


@dataclass(frozen=True)
class TlsPaths:
    """Where the files are."""

    certificate: Path
    key: Path
    client_ca: Path | None = None  # whose certificates callers must show


@dataclass(frozen=True)
class TlsFiles:
    """What was in them at one time."""

    certificate: bytes
    key: bytes = field(repr=False)
    client_ca: bytes | None = None


@dataclass(frozen=True)
class Certificate:
    """A server's certificate in the forms that its ports take."""

    context: ssl.SSLContext
    files: TlsFiles  # that it was made of
    subject: str
    expiry_s: float  # since 1970

    @property
    def expiry(self) -> str:
        """When it expires, as people read it."""
        return f"{datetime.fromtimestamp(self.expiry_s, UTC):%Y-%m-%d %H:%M} UTC"


def read_files(paths: TlsPaths) -> TlsFiles:
    """Read the files; raise ValueError if one can't be read."""
    return TlsFiles(
        read_secret(CERTIFICATE, paths.certificate, "PEM file"),
        read_secret(KEY, paths.key, "PEM file"),
        read_secret(CLIENT_CA, paths.client_ca, "PEM file") if paths.client_ca else None,
    )


def load_certificate(paths: TlsPaths, files: TlsFiles) -> Certificate:
    """Return what servers take of these files, which `paths` still hold; raise ValueError unless TLS can be spoken."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_alpn_protocols(list(ALPN))
    _load_pair(context, paths)
    if paths.client_ca:
        _load_client_ca(context, paths.client_ca)
    # Python reads certificates from files only: they must be those whose bytes grpcio is given. What a server's own
    # says it tells by a function for its own tests only, which has been there since 2.6.
    if read_files(paths) != files:
        raise ValueError(f"{CERTIFICATE}={str(paths.certificate)!r} is just being replaced")
    described: dict[str, Any] = ssl._ssl._test_decode_cert(str(paths.certificate))  # type: ignore[attr-defined]
    return Certificate(context, files, _name(described["subject"]), ssl.cert_time_to_seconds(described["notAfter"]))


def _load_pair(context: ssl.SSLContext, paths: TlsPaths) -> None:
    certificate, key = str(paths.certificate), str(paths.key)
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_verify_locations(certificate)
    except (ssl.SSLError, OSError):
        raise ValueError(f"{CERTIFICATE}={certificate!r} holds no PEM certificate") from None
    try:
        context.load_cert_chain(certificate, key, password=_reject_password)
    except (ssl.SSLError, OSError) as error:
        fault = "holds no PEM private key"
        if getattr(error, "reason", "") == "KEY_VALUES_MISMATCH":
            fault = f"is not the key of the certificate in {CERTIFICATE}={certificate!r}"
        raise ValueError(f"{KEY}={key!r} {fault}") from None


def _load_client_ca(context: ssl.SSLContext, path: Path) -> None:
    try:
        context.load_verify_locations(path)
    except (ssl.SSLError, OSError):
        raise ValueError(f"{CLIENT_CA}={str(path)!r} holds no PEM certificate of an authority") from None
    # Probes show none, and are answered all the same: the front door asks for one where it is needed.
    context.verify_mode = ssl.CERT_OPTIONAL
    context.options |= ssl.OP_NO_TICKET  # a resumed session is not verified again, though the authority be another
    context.num_tickets = 0


def _reject_password() -> str:
    raise ValueError(f"{KEY} is encrypted with a passphrase: decrypt it first (openssl pkey -in … -out …)")


def _name(subject: tuple[tuple[tuple[str, str], ...], ...]) -> str:
    """Return a subject in one line."""
    return ", ".join(f"{name}={value}" for part in subject for name, value in part) or "without a subject"
