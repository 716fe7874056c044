"""The wheel as a stranger has it: in an environment without this repository, in an empty folder, from a CSV file."""

import json
import os
import random
import re
import shlex
import shutil
import signal
import subprocess
import sys
import sysconfig
import tomllib
import venv
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.conftest import PATIENCE_S, ROOT, free_port, wait_until
from tests.dependencies import list_declared, to_name
from tests.internals import list_rooms

TRAIN_TIMEOUT_S = 240
OURS = "ekiben"
IMPORTED = "import ekiben, json, sys; import ekiben.service.settings; print(json.dumps([[*ekiben.__path__], sys.path]))"


BUILT = (
    "import os; os.environ['MODEL_NAME'] = 'titanic'; from ekiben.deploy.image.bento import build_bento as build; "
    "build('litert', '1-litert')"
)


@dataclass(frozen=True)
class Installed:
    """The command in its environment, and the empty folder it runs in."""

    environment: Path
    folder: Path

    @property
    def variables(self) -> dict[str, str]:
        mine = ("PYTHONPATH", "BENTOML_HOME", "MLFLOW_TRACKING_URI", "MODEL_NAME", "EKIBEN_HOME")
        kept = {name: value for name, value in os.environ.items() if name not in mine}
        return kept | {"BENTOML_HOME": str(self.folder / "bentoml"), "GRPC_PORT": str(free_port())}

    def start(self, program: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run a program of the environment to its end."""
        return subprocess.run(
            [self.environment / "bin" / program, *arguments],
            cwd=self.folder, env=self.variables, capture_output=True, text=True, timeout=TRAIN_TIMEOUT_S,
        )  # fmt: skip

    def run(self, program: str, *arguments: str) -> str:
        """Run a program that succeeds, and return what it printed."""
        done = self.start(program, *arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "TensorFlow Lite" not in done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of what git knows, or would."""
    folder = tmp_path_factory.mktemp("wheel")
    listed = subprocess.run(
        ["git", "ls-files", "-coz", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():
            (folder / "source" / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / "source" / name)
    pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), str(folder / "source"))
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """An environment of the wheel and of links to the packages that the tests run with."""
    folder = tmp_path_factory.mktemp("installed")
    environment, work = folder / "environment", folder / "work"
    work.mkdir()
    venv.create(environment, symlinks=True)
    packages = Path(sysconfig.get_path("purelib", vars={"base": str(environment)}))
    for package in Path(sysconfig.get_path("purelib")).iterdir():
        if package.name != OURS and not package.name.startswith(f"{OURS}-"):
            (packages / package.name).symlink_to(package)
    # With its requirements, which the linked packages must meet: there is no index to get others from.
    pip("--python", str(environment / "bin" / "python"), "install", f"{wheel}[load]")
    return Installed(environment, work)


def pip(*arguments: str) -> None:
    """Run pip without an index."""
    command = next(index for index, word in enumerate(arguments) if word in ("wheel", "install")) + 1
    options = ["--quiet", "--disable-pip-version-check", "--no-index"]
    subprocess.run(
        [sys.executable, "-m", "pip", *arguments[:command], *options, *arguments[command:]], check=True
    )  # fmt: skip


def test_every_package_is_listed() -> None:
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]["packages"]
    rooms = list_rooms() - {"tests"}
    found = [file.parent.relative_to(ROOT) for room in rooms for file in (ROOT / room).rglob("__init__.py")]
    assert sorted(listed) == sorted([OURS, *(".".join([OURS, *path.parts]) for path in found)])


@pytest.mark.slow
def test_the_wheel_holds_the_package_and_what_it_reads(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        metadata = archive.read(next(name for name in names if name.endswith("/METADATA"))).decode()
    assert "Requires-Python: <3.14,>=3.11\n" in metadata  # by which pip rejects another Python
    needed = {to_name(line) for line in re.findall(r"^Requires-Dist: ((?:(?!extra ==).)*)$", metadata, re.MULTILINE)}
    assert needed == list_declared("image")
    assert not [name for name in names if name.startswith(("tests", f"{OURS}/tests", f"{OURS}/setup.py"))]
    read = ("py.typed", "bentofile.yaml", "requirements/service.txt", "deploy/image/Dockerfile.j2")
    assert {f"{OURS}/{name}" for name in read} <= set(names)


@pytest.mark.slow
def test_nothing_of_the_repository_is_imported(installed: Installed) -> None:
    path, searched = json.loads(installed.run("python", "-c", IMPORTED))
    assert [Path(one).is_relative_to(installed.environment) for one in path] == [True]
    assert not [one for one in searched if one and Path(one).is_relative_to(ROOT) and ".venv" not in one]


@pytest.mark.slow
def test_another_python_is_rejected_in_a_sentence(wheel: Path, tmp_path: Path) -> None:
    options = [
        "--no-deps",
        "--no-index",
        "--only-binary",
        ":all:",
        "--python-version",
        "3.10",
        "--target",
        str(tmp_path),
    ]
    done = subprocess.run(
        [sys.executable, "-m", "pip", "install", *options, str(wheel)], capture_output=True, text=True
    )
    assert done.returncode == 1
    assert "ERROR: Package 'ekiben' requires a different Python: 3.10" in done.stderr


@pytest.mark.slow
def test_the_commands_of_the_readme_in_an_empty_folder(installed: Installed, wheel: Path) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    ((first, *commands),) = [block for block in read_commands(readme) if any("ekiben init" in one for one in block)]
    assert shlex.split(first) == ["pip", "install", wheel.name]
    explore, init, train, predict, serve = map(shlex.split, commands)
    assert explore[:2] == ["ekiben", "explore"]  # which tests/training/exploring runs

    write_table(installed.folder / "titanic.csv")
    assert "wrote problem.toml: look it through, then `ekiben train`" in installed.run(*init)
    assert "it becomes the champion" in installed.run(*train)
    assert (installed.folder / "data" / "mlflow.db").exists()
    installed.run(*predict)
    assert (installed.folder / "scored.parquet").stat().st_size
    row = {"Age": 52.5, "Sex": "male"}
    with serving(installed, serve) as url:
        answer = httpx.post(f"{url}/predict", json={"rows": [row]}).json()
        assert (answer["model"], answer["version"], len(answer["predictions"])) == ("titanic", "1", 1)

    installed.run("python", "-P", "-c", BUILT)  # of `ekiben image` what needs no builder
    (bento,) = (installed.folder / "bentoml" / "bentos" / OURS).glob("1-litert")
    sources = ("service/service.py", "service/monitoring/monitor.py", "service/protos/descriptors.binpb")
    for name in (*(f"src/{source}" for source in sources), "env/python/requirements.txt"):
        assert (bento / name).exists(), name
    measured = installed.start("ekiben", "hostile", "--short", "--only", "nothing", "--port", str(free_port()))
    assert measured.returncode in (0, 1), measured.stderr  # by how busy the machine is; 2 if no service starts


@pytest.mark.slow
def test_a_table_is_read_as_the_options_say(installed: Installed, tmp_path: Path) -> None:
    (tmp_path / "shop.csv").write_text("price;bought\n" + "1,5;yes\n2,5;no\n" * 40)
    options = ("--target", "bought", "--delimiter", ";", "--decimal", ",", "--encoding", "cp1252")
    installed.run("ekiben", "init", str(tmp_path / "shop.csv"), *options, "-o", str(tmp_path / "shop.toml"))
    source = tomllib.loads((tmp_path / "shop.toml").read_text())["source"]
    assert (source["delimiter"], source["decimal"], source["encoding"]) == (";", ",", "cp1252")


def read_commands(page: str) -> list[list[str]]:
    """Return the commands of each block of a page that shows a console, without their comments."""
    blocks = re.findall(r"^```console\n(.*?)^```", page, flags=re.DOTALL | re.MULTILINE)
    return [[line[2:].partition("  #")[0] for line in block.splitlines() if line.startswith("$ ")] for block in blocks]


@contextmanager
def serving(installed: Installed, command: list[str]) -> Iterator[str]:
    """Run the command that serves on a free port, and yield its URL once it answers."""
    port, log = free_port(), installed.folder / "serve.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [installed.environment / "bin" / command[0], *command[1:], "--port", str(port)],
            cwd=installed.folder, env=installed.variables | {"DRAIN_DELAY_S": "0"}, stdout=output, stderr=output,
        )  # fmt: skip
    try:
        wait_until(lambda: is_ready(port, process), log.read_text)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=PATIENCE_S)


def is_ready(port: int, process: "subprocess.Popen[bytes]") -> bool:
    assert process.poll() is None
    try:
        return httpx.get(f"http://127.0.0.1:{port}/readyz").status_code == 200
    except httpx.TransportError:
        return False


def write_table(path: Path) -> None:
    """Write 400 rows whose target follows the first column."""
    chance = random.Random(1)
    lines = ["Age,Sex,Survived"]
    for _ in range(400):
        age = chance.gauss(40, 10)
        lines.append(f"{age:.1f},{chance.choice(['male', 'female'])},{int(age + chance.gauss(0, 5) > 40)}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
