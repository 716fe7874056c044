"""The registry's webhook makes the service look, and does nothing else, if it is signed as MLflow signs."""

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import pytest
from mlflow.webhooks.constants import WEBHOOK_DELIVERY_ID_HEADER, WEBHOOK_SIGNATURE_HEADER, WEBHOOK_TIMESTAMP_HEADER
from mlflow.webhooks.delivery import _generate_hmac_signature

from ekiben.service.sources.webhook import WINDOW_S
from tests.service.sources.mounted_webhook import SECRET, MountedWebhook

ALIAS = {"name": "every_kind", "alias": "champion", "version": "4"}


class Caller(MountedWebhook):
    """Calls the webhook as MLflow does, and knows whether the service looks."""

    def call(
        self, data: Any = ALIAS, entity: str = "model_version_alias", secret: str = SECRET, ago_s: float = 0.0,
        delivery: str = "id", body: str | None = None, **headers: str,
    ) -> tuple[int, Any]:  # fmt: skip
        text = json.dumps({"entity": entity, "action": "created", "data": data}) if body is None else body
        stamp = str(int(time.time() - ago_s))
        given = {
            WEBHOOK_DELIVERY_ID_HEADER: delivery,
            WEBHOOK_TIMESTAMP_HEADER: stamp,
            WEBHOOK_SIGNATURE_HEADER: _generate_hmac_signature(secret, delivery, stamp, text),
            **headers,
        }
        return self.post(text.encode(), given)

    def looks(self) -> bool:
        """Whether a hint is given."""
        return asyncio.run(self.hints.wait(0.05))


@pytest.fixture
def caller(tmp_path: Path) -> Caller:
    return Caller(tmp_path)


def test_the_alias_of_the_source_makes_it_look(caller: Caller) -> None:
    assert caller.call() == (200, {"looking": True})
    assert caller.looks()
    assert not caller.looks()


@pytest.mark.parametrize("change", [{"name": "other"}, {"alias": "challenger"}])
def test_another_alias_does_not(caller: Caller, change: dict[str, str]) -> None:
    assert caller.call(ALIAS | change) == (200, {"looking": False})
    assert not caller.looks()


@pytest.mark.parametrize("arguments", [{"entity": "model_version"}, {"data": None}, {"body": "[]"}])
def test_another_event_does_not(caller: Caller, arguments: Any) -> None:
    assert caller.call(**arguments) == (200, {"looking": False})


def test_the_same_delivery_again_changes_nothing(caller: Caller) -> None:
    assert caller.call(delivery="one") == (200, {"looking": True})
    assert caller.call(delivery="one") == (200, {"looking": False})
    assert caller.call(delivery="two") == (200, {"looking": True})


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"secret": "other"}, "the signature is missing or wrong"),
        ({WEBHOOK_SIGNATURE_HEADER: ""}, "the signature is missing or wrong"),
        ({WEBHOOK_SIGNATURE_HEADER: "v2,AAAA"}, "the signature is missing or wrong"),
        ({WEBHOOK_DELIVERY_ID_HEADER: "another"}, "the signature is missing or wrong"),
        ({WEBHOOK_DELIVERY_ID_HEADER: ""}, "the delivery's id or time is missing"),
        ({WEBHOOK_TIMESTAMP_HEADER: "now"}, "the delivery's id or time is missing"),
        ({"ago_s": WINDOW_S + 60}, "the call was sent more than 300 s ago"),
        ({"ago_s": -WINDOW_S - 60}, "the call was sent more than 300 s ago or ahead"),
    ],
)
def test_a_call_that_is_not_mlflows_or_old_is_rejected(caller: Caller, arguments: Any, words: str) -> None:
    status, answer = caller.call(**arguments)
    assert status == 401
    assert words in answer["error"]
    assert not caller.looks()


def test_one_of_several_signatures_is_enough(caller: Caller) -> None:
    stamp = str(int(time.time()))
    text = json.dumps({"entity": "model_version_alias", "action": "created", "data": ALIAS})
    right = _generate_hmac_signature(SECRET, "id", stamp, text)
    assert caller.call(**{WEBHOOK_TIMESTAMP_HEADER: stamp, WEBHOOK_SIGNATURE_HEADER: f"v1,AAAA {right}"})[0] == 200


def test_a_body_that_is_large_or_no_json_is_rejected(caller: Caller) -> None:
    assert caller.call(body="{" + " " * 2**16)[0] == 413
    assert caller.call(body="{")[0] == 400


@pytest.mark.parametrize("settings", [{"registry_secret": ""}, {"model_source": ""}])
def test_without_a_secret_or_a_source_there_is_none(tmp_path: Path, settings: Any) -> None:
    assert not Caller(tmp_path, **settings).is_there
