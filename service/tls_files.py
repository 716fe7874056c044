"""The files of TLS: whether a server can use them."""

import os
import ssl
from pathlib import Path


def check_pair(certificate: Path, key: Path) -> None:
    """Raise ValueError unless TLS can be spoken with these files."""
    for name, path in (("TLS_CERT_FILE", certificate), ("TLS_KEY_FILE", key)):
        if not (path.is_file() and os.access(path, os.R_OK)):
            raise ValueError(f"{name}={str(path)!r} can't be read: name a PEM file that this user may read")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_verify_locations(certificate)
    except ssl.SSLError:
        raise ValueError(f"TLS_CERT_FILE={str(certificate)!r} holds no PEM certificate") from None
    try:
        context.load_cert_chain(certificate, key, password=_reject_password)
    except ssl.SSLError as error:
        fault = "holds no PEM private key"
        if error.reason == "KEY_VALUES_MISMATCH":
            fault = f"is not the key of the certificate in TLS_CERT_FILE={str(certificate)!r}"
        raise ValueError(f"TLS_KEY_FILE={str(key)!r} {fault}") from None


def _reject_password() -> str:
    raise ValueError("TLS_KEY_FILE is encrypted with a passphrase: decrypt it first (openssl pkey -in … -out …)")
