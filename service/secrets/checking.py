"""Whether what the settings say of tokens and certificates goes together, and can be used."""

from pathlib import Path

from ekiben.service.secrets.certificates import CERTIFICATE, CLIENT_CA, KEY, TlsPaths, load_certificate, read_files
from ekiben.service.secrets.tokens import NAME, UNSENDABLE, is_sendable, read_tokens

UNREAD = "unread"  # in the context of a validation that must not depend on what is in the files just now


def check_token(token: str, file: Path | None) -> None:
    """Raise ValueError for a token that no header can carry, and for two sources of them."""
    if not is_sendable(token.encode(errors="surrogateescape")):
        raise ValueError(f"AUTH_TOKEN {UNSENDABLE}")
    if token and file:
        raise ValueError(f"AUTH_TOKEN and {NAME} are both set: write that token into the file, and set {NAME} alone")


def check_tls(certificate: Path | None, key: Path | None, client_ca: Path | None) -> None:
    """Raise ValueError for half of what TLS needs."""
    if (certificate is None) != (key is None):
        raise ValueError(f"{CERTIFICATE} and {KEY} are needed together")
    if client_ca and not certificate:
        raise ValueError(f"{CLIENT_CA} needs {CERTIFICATE} and {KEY}: without TLS no caller can show a certificate")


def read_all(token_file: Path | None, tls: TlsPaths | None) -> None:
    """Raise ValueError unless the files can be used."""
    if token_file:
        read_tokens(token_file)
    if tls:
        load_certificate(tls, read_files(tls))
