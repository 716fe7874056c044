"""Asks the service in this container whether it is ready: for platforms that run a command, with no curl here."""

import ssl
import urllib.error
import urllib.request
from collections.abc import Mapping

from contract.errors import UserError
from service.settings import read_settings

PATH = "/readyz"
TIMEOUT_S = 2.0


def check_readiness(environment: Mapping[str, str]) -> str | None:
    """Return None if the service is ready, else why not."""
    try:
        settings = read_settings()
    except UserError as error:
        return str(error)
    scheme = "https" if settings.tls_cert_file else "http"
    port = environment.get("BENTOML_PORT") or settings.port
    return ask(f"{scheme}://127.0.0.1:{port}{PATH}")


def ask(url: str) -> str | None:
    """Return None if the URL answers 200, else why not."""
    # Its certificate carries a public name, not this address.
    context = ssl._create_unverified_context() if url.startswith("https") else None
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_S, context=context):
            return None
    except urllib.error.HTTPError as error:
        return f"not ready: {url} answers {error.code}"
    except OSError as error:
        return f"not ready: {url} does not answer ({getattr(error, 'reason', error)})"
