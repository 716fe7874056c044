"""What stands in for parts of BentoML has the names that BentoML imports, and hides nothing that is needed."""

import importlib
from pathlib import Path

import pytest

from ekiben.service.lifecycle.stand_ins import STAND_INS
from tests.conftest import ROOT, run


@pytest.mark.parametrize("name", STAND_INS)
def test_the_real_module_has_these_names(name: str) -> None:
    real = importlib.import_module(name)
    assert not hasattr(real, "never")
    assert STAND_INS[name].keys() <= vars(real).keys()


def test_what_lies_below_is_real_and_what_is_called_says_so() -> None:
    code = """
from ekiben.service.lifecycle.stand_ins import stand_in
stand_in()
import sys, bentoml
from bentoml._internal.cloud.schemas.modelschemas import ModelManifestSchema
from _bentoml_sdk import Service
print(ModelManifestSchema.__name__, Service.__name__, bentoml.models.get.__name__)
print({"httpx", "aiohttp", "circus", "rich", "pyparsing", "tornado", "zmq"} & sys.modules.keys())
try:
    from _bentoml_impl.server import serve_http
    serve_http("x")
except RuntimeError as error:
    print(error)
"""
    first, loaded, said = run("-c", code).stdout.splitlines()
    assert first == "ModelManifestSchema Service get"
    assert loaded == "set()"
    assert said.endswith("is left out where the service is one process: use `bentoml serve`")


def test_only_the_way_that_needs_them_knows_of_them() -> None:
    """A supervisor and its workers have all of BentoML."""
    users = [path for path in Path(ROOT, "service").rglob("*.py") if "stand_ins import" in path.read_text()]
    assert [path.name for path in users] == ["alone.py"]
