"""What is left of a version that could not be made: nothing."""

import asyncio
import gc
import threading
import weakref
from pathlib import Path
from typing import Any

import pytest

from ekiben.model.package import PackedModel
from ekiben.model.steps import finish
from ekiben.service.batching.turns import EngineTurns
from ekiben.service.connections.byte_budget import ByteBudget
from ekiben.service.prediction_ids import PredictionIds
from ekiben.service.protocols.openapi.describing import Surroundings
from ekiben.service.row_log.folder import FolderUnusable
from ekiben.service.row_log.logs import Logs, open_logs
from ekiben.service.servings import factory as module
from ekiben.service.servings.factory import ServingFactory
from ekiben.service.settings import Settings
from tests.doubling import MANIFEST, SCHEMA, Doubling
from tests.waiting import wait_for

MODEL = PackedModel(None, SCHEMA, MANIFEST)  # type: ignore[arg-type]


def test_a_version_whose_log_cannot_be_opened_leaves_nothing_behind() -> None:
    async def main() -> None:
        settings = Settings(log_sample=1.0, log_folder="nowhere://x")
        turns = EngineTurns()
        factory = ServingFactory(settings, ByteBudget(2**20), PredictionIds(), turns, Surroundings(), SCHEMA.name, None)
        engine = Doubling()
        held = weakref.ref(engine)
        with pytest.raises(FolderUnusable):
            finish(factory.build(MODEL, engine))
        del engine
        gc.collect()
        assert held() is None

    asyncio.run(main())


@pytest.mark.parametrize("is_first", [True, False])
def test_a_version_that_fails_after_its_log_was_opened_ends_the_log(
    is_first: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """But the log of labels that it shares with the version before goes on."""

    def fail(*_: Any) -> Any:
        raise RuntimeError("no protocol")

    async def main() -> None:
        settings = Settings(log_sample=1.0, log_folder=str(tmp_path))
        turns, before = EngineTurns(), list_logging()
        factory = ServingFactory(settings, ByteBudget(2**20), PredictionIds(), turns, Surroundings(), SCHEMA.name, None)
        serving: Any = None if is_first else Logs(labels=open_logs(settings, MODEL).labels)
        opened: list[weakref.ref[Any]] = []

        def note(*given: Any) -> Logs:
            logs = open_logs(*given)
            opened.append(weakref.ref(logs.rows))
            return logs

        monkeypatch.setattr(module, "open_logs", note)
        monkeypatch.setattr(module, "PROTOCOLS", [fail])
        shared = type("Before", (), {"logs": serving}) if serving else None
        with pytest.raises(RuntimeError, match="no protocol"):
            finish(factory.build(MODEL, Doubling(), before=shared))  # type: ignore[arg-type]
        left = {"label log", "row log"} if serving else set()  # of the version before
        await wait_for(lambda: {one.name for one in list_logging() - before} == left)
        await wait_for(lambda: gc.collect() >= 0 and opened[0]() is None)  # nor does a timer hold it
        if serving:
            await serving.close_labels()

    asyncio.run(main())


def list_logging() -> set[threading.Thread]:
    return {one for one in threading.enumerate() if one.name in ("row log", "label log")}
