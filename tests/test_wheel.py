"""The wheel as a stranger has it: in an environment without this repository, in an empty folder, from a CSV file."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import sysconfig
import tomllib
import venv
import zipfile
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.conftest import ROOT, START_TIMEOUT_S, free_port, wait_until
from tests.internals import list_rooms

TRAIN_TIMEOUT_S = 240
OURS = "ekiben"
IMPORTED = "import ekiben, json, sys; import ekiben.service.settings; print(json.dumps([[*ekiben.__path__], sys.path]))"


BUILT = (
    "import os; os.environ['MODEL_NAME'] = 'shop'; from ekiben.deploy.image.bento import build_bento as build; "
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

    def run(self, program: str, *arguments: str) -> str:
        """Run a program of the environment; return what it printed."""
        done = subprocess.run(
            [self.environment / "bin" / program, *arguments],
            cwd=self.folder, env=self.variables, capture_output=True, text=True, timeout=TRAIN_TIMEOUT_S,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
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
    pip("wheel", "--no-build-isolation", "--wheel-dir", str(folder), str(folder / "source"))
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
    pip("--python", str(environment / "bin" / "python"), "install", str(wheel))
    return Installed(environment, work)


def pip(*arguments: str) -> None:
    """Run pip without an index."""
    command = next(index for index, word in enumerate(arguments) if word in ("wheel", "install")) + 1
    options = ["--quiet", "--disable-pip-version-check", "--no-deps", "--no-index"]
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
    assert not [name for name in names if name.startswith(("tests", f"{OURS}/tests", f"{OURS}/setup.py"))]
    needed = ("py.typed", "bentofile.yaml", "requirements/service.txt", "deploy/image/Dockerfile.j2")
    assert {f"{OURS}/{name}" for name in needed} <= set(names)


@pytest.mark.slow
def test_nothing_of_the_repository_is_imported(installed: Installed) -> None:
    path, searched = json.loads(installed.run("python", "-c", IMPORTED))
    assert [Path(one).is_relative_to(installed.environment) for one in path] == [True]
    assert not [one for one in searched if one and Path(one).is_relative_to(ROOT) and ".venv" not in one]


@pytest.mark.slow
def test_a_model_goes_its_way_from_a_csv_file(installed: Installed) -> None:
    write_table(installed.folder / "shop.csv")
    made = installed.run("ekiben", "init", "shop.csv", "--target", "bought", "--delimiter", ";", "--decimal", ",")
    assert "wrote problem.toml: look it through, then `ekiben train`" in made
    source = tomllib.loads((installed.folder / "problem.toml").read_text())["source"]
    assert (source["delimiter"], source["decimal"]) == (";", ",")

    assert "it becomes the champion" in installed.run("ekiben", "train", "--epochs", "2")
    assert (installed.folder / "data" / "mlflow.db").exists()
    installed.run("ekiben", "predict", "shop.csv", "-o", "scored.csv")
    assert len((installed.folder / "scored.csv").read_text().splitlines()) == 401
    assert "--backend" in installed.run("ekiben", "image", "--help")
    installed.run("python", "-P", "-c", BUILT)
    (bento,) = (installed.folder / "bentoml" / "bentos" / OURS).glob("1-litert")
    for name in ("src/service/service.py", "src/service/protos/descriptors.binpb", "env/python/requirements.txt"):
        assert (bento / name).exists(), name

    port = free_port()
    with (installed.folder / "serve.log").open("w") as log:
        process = subprocess.Popen(
            [installed.environment / "bin" / "ekiben", "serve", "--port", str(port)],
            cwd=installed.folder, env=installed.variables | {"DRAIN_DELAY_S": "0"}, stdout=log, stderr=log,
        )  # fmt: skip
    try:
        wait_until(lambda: is_ready(port, process), START_TIMEOUT_S, (installed.folder / "serve.log").read_text)
        row = {"price": 52.5, "city": "Qom"}
        answer = httpx.post(f"http://127.0.0.1:{port}/predict", json={"rows": [row]}).json()
        assert (answer["model"], answer["version"], len(answer["predictions"])) == ("shop", "1", 1)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=30)


def is_ready(port: int, process: "subprocess.Popen[bytes]") -> bool:
    assert process.poll() is None
    try:
        return httpx.get(f"http://127.0.0.1:{port}/readyz").status_code == 200
    except httpx.TransportError:
        return False


def write_table(path: Path) -> None:
    """Write 400 rows whose target follows the price."""
    chance = random.Random(1)
    lines = ["price;city;bought"]
    for _ in range(400):
        price = chance.gauss(40, 10)
        bought = "yes" if price + chance.gauss(0, 5) > 40 else "no"
        lines.append(f"{price:.1f};{chance.choice(['Tehran', 'Qom', 'Yazd'])};{bought}".replace(".", ","))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
