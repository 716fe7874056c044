"""A service with all that can be switched on, and a token: three models, a challenger, a log of rows."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ekiben.model.package import PackedModel
from tests.conftest import NAME, Server, serve
from tests.http_client import HTTP
from tests.packed_tasks import PRICE, STARS, store
from tests.service.servings.repack import sign

TOKEN = "s3cret-t0ken"
AUTHORIZED = {"authorization": f"Bearer {TOKEN}"}
MAX_BODY_BYTES = 100_000


@pytest.fixture(scope="package")
def switched_on(model: PackedModel, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The variables of a service with all that can be switched on."""
    folder = tmp_path_factory.mktemp("documented")
    home = store(folder, (STARS, PRICE))
    shutil.copytree(model.path.parent, home / "models" / NAME)
    copy_version(home / "models" / NAME, "1", "2")
    return {
        "BENTOML_HOME": str(home),
        "MODEL_NAME": f"{NAME},stars,price",
        "AUTH_TOKEN": TOKEN,
        "CHALLENGER": "2",
        "LOG_FOLDER": str(folder / "log"),
        "LOG_SAMPLE": "1",
        "RELOAD": "1",
        "MODELS_FOLDER": str(home),
        "MAX_BODY_BYTES": str(MAX_BODY_BYTES),
    }


def copy_version(folder: Path, version: str, copied: str) -> None:
    """Let a model have one more version, which answers the same."""
    shutil.copytree(folder / version, folder / copied)
    for name in ("manifest.json", "model.yaml"):
        path = folder / copied / name
        content = path.read_text().replace(f'"version": "{version}"', f'"version": "{copied}"')
        path.write_text(content.replace(f"version: '{version}'", f"version: '{copied}'"))
    sign(folder / copied)


@pytest.fixture(scope="package")
def documented(switched_on: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serve(tmp_path_factory.mktemp("documented"), **switched_on) as running:
        yield running


@pytest.fixture(scope="package")
def document(documented: Server) -> Any:
    return HTTP.get(f"{documented.url}/docs.json", headers=AUTHORIZED).json()


@pytest.fixture
def loads_again(documented: Server) -> Iterator[None]:
    """Afterwards load what the examples have ended."""
    yield
    for name in ("stars", "price"):
        loaded = HTTP.post(f"{documented.url}/v2/repository/models/{name}/load", headers=AUTHORIZED)
        assert loaded.status_code == 200, loaded.text
