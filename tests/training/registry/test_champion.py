"""A registered version whose package is gone, and a BentoML store that can't take it."""

import errno
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import mlflow
import pytest
import requests
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import RESOURCE_DOES_NOT_EXIST
from mlflow.tracking import MlflowClient

from ekiben.model.home import StoreUnusable
from ekiben.model.package import CHAMPION, PACKAGE, SCHEMA_FILE
from ekiben.training.checks.gate import find_contract
from ekiben.training.registry import champion, tracking, version_packages
from ekiben.training.registry.version_packages import PackageGone, open_package
from tests.small_disk import small_disk

NAME = "gone"
Capture = pytest.CaptureFixture[str]


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of a champion's package, which holds a schema's name alone."""
    before = mlflow.get_tracking_uri()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    mlflow.set_tracking_uri(os.environ["MLFLOW_TRACKING_URI"])
    client = MlflowClient()
    run = client.create_run(client.create_experiment(NAME, (tmp_path / "artifacts").as_uri()))
    (tmp_path / SCHEMA_FILE).write_text("{}")
    client.log_artifact(run.info.run_id, str(tmp_path / SCHEMA_FILE), PACKAGE)
    client.create_registered_model(NAME)
    client.create_model_version(NAME, f"runs:/{run.info.run_id}/{PACKAGE}", run.info.run_id)
    client.set_registered_model_alias(NAME, CHAMPION, "1")
    yield tmp_path / "artifacts" / run.info.run_id / "artifacts" / PACKAGE
    mlflow.set_tracking_uri(before)


def take_run(package: Path) -> None:
    shutil.rmtree(package.parent.parent)


def take_files(package: Path) -> None:
    for file in package.iterdir():
        file.unlink()


def take_store(package: Path) -> None:
    shutil.rmtree(package.parent.parent.parent)


def test_a_package_that_is_there_is_opened(package: Path) -> None:
    with open_package(tracking.get_version(NAME, "1")) as opened:
        assert (opened / SCHEMA_FILE).read_text() == "{}"


@pytest.mark.parametrize("take", [shutil.rmtree, take_run, take_files, take_store])
def test_a_package_that_is_gone_is_said(take: Callable[[Path], None], package: Path) -> None:
    take(package)
    with pytest.raises(PackageGone) as caught, open_package(tracking.get_version(NAME, "1")):
        pass
    assert str(caught.value) == (
        "the package of version 1 of gone is gone from its run in MLflow: "
        "`ekiben promote` another version, or `ekiben train` a new one"
    )
    with pytest.raises(PackageGone):
        champion.promote(NAME, "1")


def test_training_goes_on_without_comparing(package: Path, capsys: Capture) -> None:
    shutil.rmtree(package)
    assert find_contract(NAME) is None
    assert capsys.readouterr().out == (
        "the package of version 1, the champion, is gone from its run in MLflow: nothing is compared with it; "
        "`ekiben promote` makes another version the champion\n"
    )


def respond(status: int) -> requests.Response:
    response = requests.Response()
    response.status_code = status
    return response


GONE = [
    MlflowException("no such run", error_code=RESOURCE_DOES_NOT_EXIST),
    MlflowException("failures: An error occurred (404) when calling the HeadObject operation: Not Found"),
    requests.HTTPError("Not Found", response=respond(404)),
    FileNotFoundError(errno.ENOENT, "No such file or directory", "/artifacts"),
]
NOT_ASKED = [
    MlflowException("failures: An error occurred (403) when calling the HeadObject operation: Forbidden"),
    MlflowException("no such file in a404b"),
    requests.HTTPError("Bad Gateway", response=respond(502)),
    PermissionError(errno.EACCES, "Permission denied", "/artifacts"),
]


@pytest.mark.parametrize("error", [*GONE, *NOT_ASKED], ids=str)
def test_only_what_is_gone_counts_as_gone(error: Exception, package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> str:
        raise error

    monkeypatch.setattr(mlflow.artifacts, "download_artifacts", fail)
    with pytest.raises(PackageGone if error in GONE else type(error)), open_package(tracking.get_version(NAME, "1")):
        pass


def test_a_full_disk_says_which_version_is_registered(
    package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with small_disk(tmp_path / "disk", 65536) as disk:
        (package / "large").write_bytes(bytes(2**20))
        monkeypatch.setenv("BENTOML_HOME", str(disk))
        fill = disk / "model"
        monkeypatch.setattr(version_packages, "store_package", lambda folder, *_: shutil.copytree(folder, fill))
        with pytest.raises(StoreUnusable) as caught:
            champion.promote(NAME, "1")
    assert str(caught.value) == (
        f"version 1 is registered, but can't be packed into the BentoML store {disk} (No space left on device): "
        "make room or set BENTOML_HOME to another folder, then `ekiben promote 1`"
    )
