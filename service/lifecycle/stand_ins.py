"""What of BentoML one process serves without: modules that its others import by name and that are never called here.

With them come aiohttp, circus, ZeroMQ, Tornado, httpx, rich, pyparsing and BentoML's cloud client: a worker has
139 MiB, this process 117 (2026-11-28, `ekiben start`). A module stands in for each, with the names that are imported
from it; `tests/service/lifecycle/test_stand_ins.py` checks that the real ones have these names.
"""

import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn


class NoProxy:
    """Stands in for BentoML's client of the service itself, which it makes as the service starts."""

    to_async = to_sync = None

    def __init__(self, *_: Any, **__: Any) -> None:
        pass

    async def __aenter__(self) -> "NoProxy":
        return self

    async def close(self) -> None:
        """Nothing was opened."""


def never(*_: Any, **__: Any) -> NoReturn:
    """Raise RuntimeError: nobody calls this here."""
    raise RuntimeError("this part of BentoML is left out where the service is one process: use `bentoml serve`")


STAND_INS: dict[str, dict[str, Any]] = {
    "_bentoml_impl.client": {"RemoteProxy": NoProxy},  # for code that holds the service object
    "_bentoml_impl.server.proxy": {"create_proxy_app": never},  # for services that are a command
    "_bentoml_impl.server.serving": {"serve_http": never},  # the supervisor
    "bentoml._internal.cloud": {},  # whose `schemas` are the real ones
    "bentoml._internal.cloud.client": {"RestApiClient": never},
    "bentoml._internal.utils.analytics": {"ModelSaveEvent": never, "track": never},  # of `bentoml.models.create`
}


def stand_in() -> None:
    """Let these modules be found; must come before BentoML is imported."""
    for name, content in STAND_INS.items():
        module = ModuleType(name, "Stands in: see ekiben.service.lifecycle.stand_ins.")
        vars(module).update(content, __path__=list(_find_folder(name)))  # what lies in a package is still found
        sys.modules.setdefault(name, module)


def _find_folder(name: str) -> Iterator[str]:
    top, *rest = name.split(".")
    found = find_spec(top)
    for location in (found and found.submodule_search_locations) or ():
        yield str(Path(location, *rest))
