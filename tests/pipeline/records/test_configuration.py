"""What a record keeps of a problem file."""

from typing import Any

import pytest

from ekiben.pipeline.records.configuration import describe_problem
from ekiben.training.problem import ProblemConfig

SECRET = "s3cr3t-word"


def make_problem(**pipeline: Any) -> ProblemConfig:
    return ProblemConfig.model_validate(
        {
            "name": "shop", "source": {"path": "shop.csv"}, "target": {"name": "late", "task": "binary"},
            "features": {"size": {"kind": "number"}}, "pipeline": pipeline, "retrain": {"schedule": "7d"},
        }
    )  # fmt: skip


def test_options_of_the_builder_are_a_digest() -> None:
    index, token = f"build-arg=PIP_INDEX_URL=https://u:{SECRET}@nexus/simple", f"build-arg=NPM_TOKEN={SECRET}"
    gated = [describe_problem(make_problem(image_options=options), gated=True) for options in ([], [index], [token])]
    digests = {one["pipeline"]["image_options"] for one in gated}
    assert len(digests) == 3  # other options make another image
    assert SECRET not in str(gated)
    assert describe_problem(make_problem(image_options=[token]), gated=False) == describe_problem(
        make_problem(), gated=False
    )


def test_secrets_of_urls_and_of_the_environment_are_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("DATABASE_PASSWORD", "shop")
    services = [f"http://bob:{SECRET}@a:8080", "http://b:8080"]
    recorded = describe_problem(make_problem(log=f"s3://KEY:{SECRET}@logs", services=services), gated=True)
    assert recorded["pipeline"]["services"] == ["http://…@a:8080", "http://b:8080"]
    assert recorded["pipeline"]["log"] == "s3://…@logs"
    assert recorded["name"] == "shop"
