"""The BentoML store: where it is, whether it can be used, and what is wrong with a model in it."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import bentoml
import pytest
from bentoml._internal.configuration.containers import BentoMLContainer
from bentoml._internal.models.model import ModelStore

from ekiben.contract.errors import InvalidModel
from ekiben.model.home import StoreUnusable, find_home
from ekiben.model.package import CHALLENGER, CHAMPION
from ekiben.model.store import ALIAS_LABEL, check_writable, find_challenger, find_model, keep_newest, list_names
from tests.conftest import run

HOME = "set BENTOML_HOME to a folder that can be written to"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of `shop`, version 1, in a store of this test's own."""
    monkeypatch.setenv("BENTOML_HOME", str(tmp_path))
    (tmp_path / "models").mkdir()
    BentoMLContainer.model_store.set(ModelStore(tmp_path / "models"))
    with bentoml.models.create("shop:1"):
        pass
    yield tmp_path / "models" / "shop"
    BentoMLContainer.model_store.reset()


def test_a_model_is_found(folder: Path) -> None:
    assert str(find_model("shop").tag) == "shop:1"


def store(tag: str, alias: str) -> None:
    with bentoml.models.create(tag, labels={ALIAS_LABEL: alias}):
        pass


def test_a_challenger_is_not_the_newest(folder: Path) -> None:
    with keep_newest("shop"):
        store("shop:2", CHALLENGER)
    assert (folder / "latest").read_text() == "1"
    store("shop:3", CHALLENGER)  # whoever it was that moved the pointer
    assert (folder / "latest").read_text() == "3"
    assert str(find_model("shop").tag) == "shop:1"
    store("shop:4", CHAMPION)
    assert str(find_model("shop").tag) == "shop:4"


def test_a_challenger_is_found_by_its_version_or_as_the_newest(folder: Path) -> None:
    for version in ("2", "3"):
        store(f"shop:{version}", CHALLENGER)
    assert str(find_challenger("shop", CHALLENGER).tag) == "shop:3"
    assert str(find_challenger("shop", "2").tag) == "shop:2"
    assert str(find_challenger("shop", "1").tag) == "shop:1"


@pytest.mark.parametrize(
    ("version", "sentence"),
    [
        (CHALLENGER, "no version of `shop` is packed as its challenger: `ekiben train` packs one"),
        ("9", "there is no version 9 of `shop` in the BentoML store"),
        ("champion", "there is no version champion of `shop`"),
    ],
)
def test_a_challenger_that_is_not_there_is_one_sentence(version: str, sentence: str, folder: Path) -> None:
    with pytest.raises(InvalidModel, match=f"^{sentence}"):
        find_challenger("shop", version)


def test_where_only_challengers_are_there_is_no_model(folder: Path) -> None:
    bentoml.models.delete("shop:1")
    store("shop:2", CHALLENGER)
    with pytest.raises(InvalidModel, match="there is no model `shop`"):
        find_model("shop")


@pytest.mark.parametrize("name", ["shops", "a:b", "../shop", "shop:1", "a b", "é", "x" * 300, "\0"])
def test_a_name_that_no_model_has(name: str, folder: Path) -> None:
    with pytest.raises(InvalidModel, match=r"^there is no model `.{1,110}` in the BentoML store: run `ekiben train` f"):
        find_model(name)


def break_off(path: Path) -> None:
    shutil.rmtree(path / "1")
    (path / "1").mkdir()


DAMAGED: dict[str, Callable[[Path], object]] = {
    "empty": lambda path: (path / "1" / "model.yaml").write_text(""),
    "no YAML": lambda path: (path / "1" / "model.yaml").write_text("{{{:"),
    "no text": lambda path: (path / "1" / "model.yaml").write_bytes(bytes(range(128, 256))),
    "killed while it was written": break_off,
    "no latest": lambda path: (path / "latest").write_text(""),
}


@pytest.mark.parametrize("kind", DAMAGED)
def test_a_damaged_model_is_one_sentence(kind: str, folder: Path) -> None:
    DAMAGED[kind](folder)
    with pytest.raises(InvalidModel) as caught:
        find_model("shop")
    message = str(caught.value)
    assert message.startswith("the model `shop` in the BentoML store can't be read (")
    assert message.endswith("): pack it again with `ekiben train`")
    assert "\n" not in message


@pytest.mark.parametrize("content", [None, "", "name: shop\n"])
def test_a_damaged_model_among_others_is_one_sentence(folder: Path, content: str | None) -> None:
    (folder / "2").mkdir()
    if content is not None:
        (folder / "2" / "model.yaml").write_text(content)
    for read in (list_names, lambda: find_model("")):
        with pytest.raises(
            InvalidModel, match=rf"^a model in {folder.parent} can't be read \(.+\): remove its folder, or"
        ):
            read()


def test_a_home_that_can_not_be_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("BENTOML_HOME", str(tmp_path / "file" / "home"))
    with pytest.raises(StoreUnusable) as caught:
        check_writable()
    assert str(caught.value) == f"the BentoML store {tmp_path}/file/home can't be used (Not a directory): {HOME}"


def test_a_home_that_can_be_made_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENTOML_HOME", str(tmp_path / "a" / "home"))
    check_writable()
    assert (tmp_path / "a" / "home").is_dir()


def test_a_home_is_the_users_own_unless_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENTOML_HOME", "")
    monkeypatch.setenv("HOME", "/home/me")
    assert find_home() == Path("/home/me/bentoml")


def test_a_user_without_a_home(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_home(path: Path) -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setenv("BENTOML_HOME", "")
    monkeypatch.setattr(Path, "expanduser", no_home)
    with pytest.raises(StoreUnusable, match=r"^there is no home folder for the BentoML store: set BENTOML_HOME to a "):
        find_home()


@pytest.mark.skipif(not Path("/proc").exists(), reason="needs /proc")
@pytest.mark.parametrize("command", [["predict", "t.csv"], ["serve"], ["train"]])
def test_every_command_names_the_home_that_can_not_be_made(command: list[str]) -> None:
    environment = {"HOME": "/proc", "BENTOML_HOME": ""}
    assert "BENTOML_HOME" in os.environ
    done = run("-m", "ekiben.commands", *command, fails=True, **environment)
    assert done.returncode == 2
    reason = "can't be used (No such file or directory)"
    assert done.stderr == f"error: the BentoML store /proc/bentoml {reason}: {HOME}\n"
