"""Building the image: what is missing is said before anything is built."""

import os
from pathlib import Path

import pytest
import yaml

from ekiben.deploy.image.builder import ImageFailed, check_tag, explain, find_builder
from ekiben.deploy.image.slimming.prune import prune
from ekiben.deploy.image.slimming.strip import strip
from ekiben.model.package import PackedModel
from tests.conftest import ROOT
from tests.deploy.containers import build


def install(folder: Path, name: str, code: int) -> None:
    """Put a builder on the path that ends with this code whatever it is asked."""
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\nexit {code}\n")
    (folder / name).chmod(0o755)


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A search path of this test's own."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


def test_the_first_builder_that_runs_is_used(path: Path) -> None:
    install(path, "docker", 1)  # its daemon is not there
    install(path, "buildah", 0)
    assert find_builder(None) == "buildah"


@pytest.mark.parametrize(
    ("installed", "wanted", "sentence"),
    [
        ({}, None, "nothing that builds images is installed: install docker, podman, buildah or nerdctl"),
        ({"podman": 0}, "docker", "docker is not installed: install it, or leave --backend out to use what is"),
        ({"docker": 1}, None, "docker is installed but does not run: start it, or choose another with --backend"),
    ],
)
def test_without_a_builder_it_says_which_to_install(
    path: Path, installed: dict[str, int], wanted: str | None, sentence: str
) -> None:
    for name, code in installed.items():
        install(path, name, code)
    with pytest.raises(ImageFailed, match=f"^{sentence}$"):
        find_builder(wanted)


@pytest.mark.parametrize("tag", ["flights", "flights:1", "localhost:5000/team/flights_2:v1.0-RC"])
def test_names_of_images_are_taken(tag: str) -> None:
    check_tag(tag)


@pytest.mark.parametrize("tag", ["Flights:1", "", ":1", "two words:1", "flights:", "flügge:1", "flights:1:2 "])
def test_names_that_no_image_can_have_are_rejected(tag: str) -> None:
    with pytest.raises(ImageFailed, match="an image can't be called"):
        check_tag(tag)


@pytest.mark.parametrize(
    ("output", "sentence"),
    [
        ("Error: initializing source docker://python:3.11-slim: pinging container registry", "can't get the image's"),
        ("write /opt: no space left on device", "the disk is full"),
        ("step 3\nError: pip failed\nbye", "podman could not build flights:1: Error: pip failed"),
        ("", "it does not say why"),
    ],
)
def test_a_failed_build_is_explained(output: str, sentence: str) -> None:
    assert sentence in explain("podman", "flights:1", output)


def test_pruning_takes_what_serving_never_loads(tmp_path: Path) -> None:
    kept = ["numpy/core.py", "numpy/lib.so", "tests.py", "pygments/lexers/__init__.py"]
    gone = ["numpy/tests/test_core.py", "numpy/core.pyi", "uvloop/loop.c", "ml_dtypes/ext.so", "pygments/lexers/jvm.py"]
    check_pruning(tmp_path, kept, gone)


def test_pruning_leaves_what_tensorflow_loads(tmp_path: Path) -> None:
    kept = ["tensorflow/__init__.py", "ml_dtypes/ext.so"]
    check_pruning(tmp_path, kept, ["tensorflow/include/op.h"])


def check_pruning(folder: Path, kept: list[str], gone: list[str]) -> None:
    for name in kept + gone:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    prune(folder)
    assert sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()) == sorted(kept)


def test_stripping_leaves_python_as_the_only_program(tmp_path: Path) -> None:
    root = tmp_path / "root"
    kept = ["usr/bin/python3.11", "usr/lib/libc.so.6", "usr/lib/python3.11/base64.py", "usr/lib/chage"]
    gone = [
        "usr/bin/dash", "usr/sbin/runuser", "usr/lib/apt/methods/http", "usr/share/entrypoint.sh", "opt/env/bin/pip",
        "usr/lib/python3/dist-packages/pip/main.py", "usr/local/lib/python3.11/site-packages/setuptools-66.dist-info/M",
        "usr/lib/x86_64-linux-gnu/libapt-pkg.so.6.0", "usr/lib/python3.11/ensurepip/p.whl",
        "usr/local/include/python3.11/Python.h",
        "usr/local/lib/python3.11/config-3.11-x86_64-linux-gnu/libpython3.11.a",
    ]  # fmt: skip
    for name in kept + gone:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("#!/bin/sh" if name.endswith((".sh", ".py")) else "")
        (root / name).chmod(0o755)
    (root / "usr/lib/chage").chmod(0o6755)
    (root / "bin").symlink_to("usr/bin")
    for link in ("usr/bin/python", "opt/env/bin/python"):
        (root / link).symlink_to(root / "usr/bin/python3.11")
    (root / "usr/bin/sh").symlink_to("dash")
    strip(root, root / "opt/env", (root / "usr/bin/python3.11").resolve())
    left = {str(path.relative_to(root)) for path in root.rglob("*") if not path.is_dir()}
    assert left == {*kept, "usr/bin/python", "opt/env/bin/python"}
    assert (root / "usr/lib/chage").stat().st_mode & 0o7777 == 0o755


def test_the_image_holds_every_module_that_serves() -> None:
    patterns = yaml.safe_load((ROOT / "bentofile.yaml").read_text(encoding="utf-8"))["include"]
    held = {file for pattern in patterns for file in ROOT.glob(pattern)}
    needed = {file for room in ("contract", "model", "service") for file in (ROOT / room).rglob("*.py")}
    assert needed - held == set()
    assert ROOT / "service" / "monitoring" / "monitor.py" in needed
    assert not [file for file in held if file.is_relative_to(ROOT / "monitoring")]  # `ekiben drift` asks from outside


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "environment", "sentence"),
    [
        (["--tag", "Flights"], {}, "error: an image can't be called 'Flights'"),
        ([], {"MODEL_NAME": "absent"}, "error: there is no model `absent` in the BentoML store"),
        ([], {"PATH": "/nowhere"}, "error: nothing that builds images is installed"),
    ],
)
def test_the_command_ends_with_one_sentence(
    model: PackedModel, path: Path, arguments: list[str], environment: dict[str, str], sentence: str
) -> None:
    install(path, "podman", 0)
    failed = build(*arguments, fails=True, **({"PATH": os.environ["PATH"]} | environment))
    assert failed.returncode == 2
    assert failed.stderr.startswith(sentence)
    assert len(failed.stderr.splitlines()) == 1
