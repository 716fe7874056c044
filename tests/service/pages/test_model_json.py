"""What the page is made from is described once, until other models are served."""

import asyncio
import json
from pathlib import Path
from typing import Any

from ekiben.model.package import PackedModel
from ekiben.service.http.messages import Request, Response
from ekiben.service.pages import page
from ekiben.service.settings import Settings
from tests.doubling import MANIFEST, SCHEMA


def test_a_model_is_described_once_for_the_same_models() -> None:
    others: list[str] = []
    model = PackedModel(Path(), SCHEMA, MANIFEST)
    routes = page.build_page(model, "", Settings(), "doubling", lambda: others).routes
    (route,) = (route for route in routes if route.path == page.MODEL_PATH)

    async def ask() -> bytes:
        scope: dict[str, Any] = {"method": "GET", "path": route.path, "headers": []}
        answer = await route.answer(Request(scope, asyncio.Queue[Any]().get))
        assert isinstance(answer, Response)
        return answer.body

    async def scenario() -> None:
        first = await ask()
        assert await ask() is first
        assert json.loads(first)["models"] == ["doubling"]
        others.append("other")
        assert json.loads(await ask())["models"] == ["doubling", "other"]

    asyncio.run(scenario())
