"""How an adapter is run and calls its engine: `--event JSON` in, one sentence out, secrets in neither."""

import argparse
import json
import os
import sys
from collections.abc import Callable
from typing import Any

import httpx

from ekiben.contract.errors import UserError
from ekiben.contract.text_lines import printable
from ekiben.contract.validation import shorten
from ekiben.pipeline.triggers.events.event import Event, parse_event
from ekiben.training import process
from ekiben.training.redaction import redact, redact_uri

TIMEOUT_S = 30.0
MAX_BYTES = 1 << 20  # of an answer


class EngineFailed(UserError):
    """The engine can't be called, or did not take the event."""


def run(send: Callable[[Event], str]) -> int:
    """Send the event of the command line; print what came of it, and return the exit code."""
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("--event", required=True, help="the event, as JSON")
    given = parser.parse_args()

    def deliver() -> None:
        sys.stdout.write(f"{printable(redact(send(parse_event(given.event.encode()))))}\n")

    return process.report_errors(deliver, "interrupted: whether the engine took the event is not known")


def read_setting(name: str, default: str | None = None) -> str:
    """Return an environment variable; raise EngineFailed, naming it, if it is missing."""
    value = os.environ.get(name) or default
    if value is None:
        raise EngineFailed(f"set {name} (docs/triggers.md)")
    return value


def call(method: str, url: str, token: str = "", body: Any = None, **query: str) -> dict[str, Any]:
    """Return the JSON object that the engine answers; raise EngineFailed with what it says instead."""
    shown, headers = redact_uri(url), {"authorization": f"Bearer {token}"} if token else {}
    try:
        with httpx.stream(method, url, json=body, params=query, headers=headers, timeout=TIMEOUT_S) as answer:
            content = _read(answer)
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        raise EngineFailed(redact(f"{shown} can't be called ({error})", url)) from None
    if not answer.is_success:
        said = printable(shorten(content.decode(errors="replace")))
        raise EngineFailed(redact(f"{shown} answers {answer.status_code}: {said}", url))
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise EngineFailed(f"{shown} answers no JSON object: is this the engine's API?")
    return found


def _read(answer: httpx.Response) -> bytes:
    content = bytearray()
    for chunk in answer.iter_bytes():
        content += chunk
        if len(content) > MAX_BYTES:
            break  # what is cut off is no JSON
    return bytes(content)
