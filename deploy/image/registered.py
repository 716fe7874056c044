"""Builds from a version of the MLflow registry, in a BentoML store of the build's own.

What a service on this machine serves is the newest of its store, so that stays as it is, and need not be there at all.
"""

import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from ekiben.contract.errors import UserError
from ekiben.service.sources.address import ModelSource, parse_source

SCHEME = "models:/"
NUMBERED = re.compile(rf"{SCHEME}([A-Za-z][A-Za-z0-9_]{{0,62}})/([0-9]{{1,19}})")
STORE = "BENTOML_HOME"


class InvalidAddress(UserError):
    """No version of a registry can be called so."""


def parse_address(text: str) -> tuple[str, str, str]:
    """Return the model's name, and its alias or its version; the other is empty. Raises InvalidAddress."""
    if numbered := NUMBERED.fullmatch(text):
        return numbered[1], "", numbered[2]
    try:
        source: ModelSource = parse_source(text)
    except ValueError:
        raise InvalidAddress(
            f"--model {text}: a version of the registry is models:/NAME@ALIAS or models:/NAME/VERSION, such as "
            "models:/flight_delay@champion"
        ) from None
    return source.name, source.alias, ""


@contextmanager
def fetched(text: str) -> Iterator[str]:
    """Fetch a version, let it be the only one in the store as long as this lasts, and give its name.

    To be entered before BentoML is imported, which asks only once where its store is.
    """
    name, alias, version = parse_address(text)
    before = os.environ.get(STORE)
    with tempfile.TemporaryDirectory(prefix="ekiben-image-") as folder:
        os.environ[STORE] = folder
        try:
            _fetch(name, alias, version)
            yield name
        finally:
            os.environ.pop(STORE) if before is None else os.environ.update({STORE: before})


def _fetch(name: str, alias: str, version: str) -> None:
    from ekiben.training.registry import tracking
    from ekiben.training.registry.fetching import fetch_version, find_registered

    with tracking.existing_store(changing=False):
        registered = find_registered(name, alias, version)
        print(f"fetching version {registered.version} of {name} from the registry …", flush=True)
        fetch_version(registered)
