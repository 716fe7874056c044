"""The chart's values: each has a type, and one that is wrong is one sentence."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from pydantic import SecretStr

from ekiben.service.lifecycle.drain import find_grace_s
from ekiben.service.settings import Settings
from tests.deploy.helm import complaint, needs_helm, template
from tests.deploy.manifests import CHART

# What other values of the chart say, and the ports that its Services and probes have.
FIXED = {"HOST", "PORT", "GRPC_PORT", "AUTH_TOKEN_FILE", "TLS_CERT_FILE", "TLS_KEY_FILE", "TLS_CLIENT_CA_FILE"}


@needs_helm
def test_a_setting_reaches_the_service_as_it_is_written() -> None:
    written = ["MAX_BODY_BYTES=8388608", "MAX_WAIT_S=0.4", "MONITORING=false", "OTEL_SERVICE_NAME=flights"]
    objects = template(*(f"--set=settings.{one}" for one in written))
    assert objects["ConfigMap", "flight-delay-settings"]["data"] == {
        "GRPC_CONNECTION_AGE_S": "2", "LOG_FORMAT": "json", "MAX_BODY_BYTES": "8388608", "MAX_WAIT_S": "0.4",
        "MONITORING": "0", "OTEL_SERVICE_NAME": "flights",
    }  # fmt: skip


@needs_helm
@pytest.mark.parametrize(
    ("option", "sentence"),
    [
        ("image.tga=2", "'/image': additional properties 'tga' not allowed"),
        ("image.digest=1", "'/image/digest': got number, want string"),
        ("image.repository=example.com/a:1", "'/image/repository': 'example.com/a:1' does not match pattern"),
        ("replicas=one", "'/replicas': got string, want null or integer"),
        ("settings.MAX_WAITING_ROW=1", "'/settings': additional properties 'MAX_WAITING_ROW' not allowed"),
        ("settings.AUTH_TOKEN=secret", "'/settings': additional properties 'AUTH_TOKEN' not allowed"),
        ("settings.GRPC_PORT=9001", "'/settings': additional properties 'GRPC_PORT' not allowed"),
        ("gateway.enabled=true", "name yours in gateway.parentRefs"),
        ("ingress.enabled=true", "name yours in ingress.host"),
        ("scaleToZero.enabled=true", "name those that callers use in scaleToZero.hosts"),
        ("autoscaling.enabled=true,scaleToZero.enabled=true", "would work against each other: disable one"),
        (
            "autoscaling.enabled=true,autoscaling.requestsPerSecond=0,autoscaling.waitingRows=0,autoscaling.cpuUtilization=0",
            "give one of requestsPerSecond, waitingRows and cpuUtilization",
        ),
    ],
)
def test_a_value_that_is_wrong_is_one_sentence(option: str, sentence: str) -> None:
    assert sentence in complaint(f"--set={option}")


@needs_helm
@pytest.mark.parametrize("delay_s", [0, 3, 7, 30, 30.5, 300])
def test_a_grace_period_that_is_shorter_than_the_drain_is_rejected(delay_s: float) -> None:
    needed = max(10, find_grace_s(delay_s))  # less than 10 is none of the schema's
    options = f"--set=settings.DRAIN_DELAY_S={delay_s},terminationGracePeriodSeconds="
    assert template(f"{options}{needed}")
    if needed > 10:
        assert f"it must be {needed} or more" in complaint(f"{options}{needed - 1}")


def test_every_value_has_a_type() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))

    def untyped(given: Any, rule: dict[str, Any], path: str) -> Iterator[str]:
        if isinstance(given, dict) and rule.get("properties"):
            if rule.get("additionalProperties") is not False:
                yield path
            for key, value in given.items():
                yield from untyped(value, rule["properties"].get(key, {}), f"{path}.{key}")
        elif not {"type", "$ref", "enum", "anyOf"} & rule.keys():
            yield path

    given = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
    assert list(untyped(given, schema, "")) == []
    assert list(untyped({**given, "colour": "red"}, schema, "")) == [".colour"]


def test_the_schema_lists_every_setting_that_is_no_secret() -> None:
    """A new setting goes into `definitions.settings.properties`; without it, nobody can set it by the chart."""
    schema = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
    fields = Settings.model_fields.items()
    settings = {name.upper() for name, field in fields if field.annotation is not SecretStr}
    assert schema["definitions"]["settings"]["properties"].keys() == settings - FIXED
