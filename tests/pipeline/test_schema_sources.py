"""Schemas of the registry's versions, and one sentence where there is no such one."""

from pathlib import Path

import mlflow
import pytest

from ekiben.contract.errors import UserError
from ekiben.pipeline.schema_sources import find_schema


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("models:/absent/99", "the registry has no model absent: train it first with `ekiben train`"),
        ("models:/absent@champion", "the registry has no model absent: train it first with `ekiben train`"),
        ("models:/absent/newest", "models:/absent/newest is no version: expected models:/NAME@ALIAS or models:/NAME/"),
        ("models:/a' OR name = 'b@c", "is no version: expected models:/NAME@ALIAS or models:/NAME/VERSION"),
    ],
)
def test_what_the_registry_has_not_is_one_sentence(
    source: str, sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/mlflow.db")
    mlflow.search_registered_models()  # makes the registry's tables
    try:
        with pytest.raises(UserError) as error:
            find_schema(source)
    finally:
        mlflow.set_tracking_uri(before)
    assert sentence in str(error.value)
    assert "\n" not in str(error.value)
