"""What a call over gRPC has begun is done to its end, though its caller goes meanwhile."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from ekiben.service.errors import BadRequest
from ekiben.service.protos import message
from ekiben.service.servings.repository import Api
from ekiben.service.settings import Settings
from tests.waiting import wait_for

NOTHING: Any = None


class SlowModels:
    """Loads and unloads, once it may."""

    def __init__(self) -> None:
        self.gate, self.begun, self.done = asyncio.Event(), False, ""

    def check_allowed(self) -> None:
        pass

    async def load(self, name: str, version: str, force: bool) -> Any:
        self.begun = True
        await self.gate.wait()
        self.done = f"loaded {name}"
        return SimpleNamespace(model=SimpleNamespace(name=name, version="1"))

    async def unload(self, name: str) -> None:
        self.begun = True
        await self.gate.wait()
        self.done = f"unloaded {name}"
        raise BadRequest(409, "nobody is left to hear this")


@pytest.mark.parametrize("what", ["load", "unload"])
def test_a_load_that_has_begun_ends_though_its_caller_goes(what: str) -> None:
    async def scenario() -> None:
        models: Any = SlowModels()
        servings: Any = SimpleNamespace(find_model=lambda name: NOTHING, default=object())
        api = Api(servings, models, Settings(), {})
        request = message(f"inference.RepositoryModel{what.capitalize()}Request")(model_name="fr")
        call = asyncio.ensure_future({"load": api.load_call, "unload": api.unload_call}[what](request, NOTHING))
        await wait_for(lambda: models.begun)
        call.cancel()
        await asyncio.wait([call])
        assert call.cancelled()
        assert models.done == ""
        models.gate.set()
        await wait_for(lambda: models.done == f"{what}ed fr")

    asyncio.run(scenario())
