"""Asks the service in this container whether it is ready: for platforms that run a command, with no curl here."""

import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from http.client import HTTPException

from ekiben.contract.errors import UserError
from ekiben.service.connections.ports import in_url
from ekiben.service.environment import read_settings
from ekiben.service.settings import Settings

PATH = "/readyz"
TIMEOUT_S = 2.0
LOOPBACKS = ("127.0.0.1", "::1")
EVERY_ADDRESS = ("0.0.0.0", "::")


def check_readiness(environment: Mapping[str, str]) -> str | None:
    """Return None if the service is ready, else why not."""
    try:
        settings = read_settings(unread=True)
    except UserError as error:
        return str(error)
    problems = []
    for url in find_urls(settings, environment):
        try:
            status = ask(url)
        except (OSError, HTTPException) as error:
            problems.append(f"not ready: {url} does not answer ({getattr(error, 'reason', error)})")
        else:
            return None if status == 200 else f"not ready: {url} answers {status}"
    return problems[0]


def find_urls(settings: Settings, environment: Mapping[str, str]) -> Iterator[str]:
    """Yield where the service may be asked, the likeliest first."""
    scheme = "https" if settings.tls_cert_file else "http"
    host = environment.get("BENTOML_HOST") or settings.host
    port = environment.get("BENTOML_PORT") or settings.port
    for address in LOOPBACKS if host in EVERY_ADDRESS else (host,):
        yield f"{scheme}://{in_url(address)}:{port}{PATH}"


def ask(url: str) -> int:
    """Return the status the URL answers with."""
    # Its certificate carries a public name, not this address; and no proxy leads to it.
    context = ssl._create_unverified_context()
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
    )  # fmt: skip
    try:
        with opener.open(url, timeout=TIMEOUT_S) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
