"""A store with several problems, for tests of services with many models."""

import shutil
from pathlib import Path

import pytest

from ekiben.load_tests.many.copies import copy_model
from ekiben.model.package import PackedModel
from tests.packed_tasks import PRICE, STARS, store

COPIES = ("de_east", "de_west", "fr")


@pytest.fixture(scope="session")
def many_models(model: PackedModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BentoML home with the flights' model, copies of it for three countries, a multiclass model and a regression."""
    folder = tmp_path_factory.mktemp("many")
    home = store(folder, (STARS, PRICE))
    shutil.copytree(model.path.parent, home / "models" / model.name)
    copy_model(model, home, COPIES)
    return home
