"""A canary gets the labels of the version that answers and of the one beside it, whatever else they are kept in."""

import asyncio
from types import SimpleNamespace
from typing import Any

from ekiben.model.package import PackedModel
from ekiben.service.row_log.labels import Labels, Receipt
from ekiben.service.row_log.logs import Logs
from ekiben.service.row_log.watched_labels import WatchedLabels
from ekiben.service.servings.serving import Serving
from ekiben.service.servings.servings import Servings
from ekiben.service.servings.staging import VersionStage
from tests.doubling import MANIFEST, SCHEMA

NOTHING: Any = None


async def keep(labels: Labels) -> Receipt:
    return Receipt(len(labels), 0, 0, 0)


def make(version: str, labels: WatchedLabels | None) -> Serving:
    model = PackedModel(NOTHING, SCHEMA, MANIFEST.model_copy(update={"version": version}))
    return Serving(model, NOTHING, Logs(), (), labels=labels)


def test_labels_without_a_log_come_to_the_canary_until_it_ends() -> None:
    both = [WatchedLabels(keep), WatchedLabels(keep)]
    servings = Servings([make("2", both[0])])
    servings.default.held["3"] = make("3", both[1])
    stage, taken = VersionStage(SCHEMA.name, servings, NOTHING), []
    memory = SimpleNamespace(add_labels=taken.extend)
    run: Any = SimpleNamespace(memory=memory)

    async def send() -> None:
        for labels in both:
            await labels.keep(Labels(["a"], ["true"], 1))

    stage.divide(run)
    asyncio.run(send())
    assert taken == [("a", "true")] * 2
    stage.divide(None)
    asyncio.run(send())
    assert len(taken) == 2
    assert stage.why_no_labels == ""


def test_a_service_that_takes_no_labels_says_so() -> None:
    stage = VersionStage(SCHEMA.name, Servings([make("2", None)]), NOTHING)
    stage.divide(None)
    assert stage.why_no_labels.startswith("no labels are kept here: start the service with LOG_FOLDER")
