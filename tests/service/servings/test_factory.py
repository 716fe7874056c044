"""What is left of a version that could not be made: nothing."""

import asyncio
import gc
import weakref

import pytest

from ekiben.model.package import PackedModel
from ekiben.model.steps import finish
from ekiben.service.batching.turns import EngineTurns
from ekiben.service.connections.byte_budget import ByteBudget
from ekiben.service.prediction_ids import PredictionIds
from ekiben.service.row_log.folder import FolderUnusable
from ekiben.service.servings.factory import ServingFactory
from ekiben.service.settings import Settings
from tests.doubling import MANIFEST, SCHEMA, Doubling

MODEL = PackedModel(None, SCHEMA, MANIFEST)  # type: ignore[arg-type]


def test_a_version_whose_log_cannot_be_opened_leaves_nothing_behind() -> None:
    async def main() -> None:
        settings = Settings(log_sample=1.0, log_folder="nowhere://x")
        turns = EngineTurns()
        factory = ServingFactory(settings, ByteBudget(2**20), PredictionIds(), turns, {}, SCHEMA.name, lambda: (), None)
        engine = Doubling()
        held = weakref.ref(engine)
        with pytest.raises(FolderUnusable):
            finish(factory.build(MODEL, engine))
        del engine
        gc.collect()
        assert held() is None

    asyncio.run(main())
