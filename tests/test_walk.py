"""A newcomer's walk: docs/start.md, from its table on, is typed as it is shown (EKIBEN_WALK=1: two trainings)."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import PATIENCE_S, ROOT, free_port, is_ready, wait_until
from tests.conftest import Server as Service
from tests.examples import Command, matches, read_examples

PAGE = "docs/start.md"
FIRST = "mkdir -p deliveries"  # what comes before it is `make serve`, which tests/test_make.py types
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.environ.get("EKIBEN_WALK") != "1", reason="two trainings: EKIBEN_WALK=1 walks"),
]


def list_steps() -> list[Command]:
    commands = [command for example in read_examples(ROOT / PAGE, PAGE) for command in example.commands]
    first = next(index for index, command in enumerate(commands) if command.line.startswith(FIRST))
    return commands[first:]


class Newcomer:
    """Somebody with a terminal, and a service in another one."""

    def __init__(self, home: Path) -> None:
        self.folder = home / "clone"
        self.folder.mkdir()
        self.port = free_port()
        binaries = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        self.environment = os.environ | {"PATH": binaries, "BENTOML_HOME": str(home / "bentoml"), "DRAIN_DELAY_S": "0"}
        del self.environment["MLFLOW_TRACKING_URI"]
        self.service: subprocess.Popen[str] | None = None

    def type(self, command: Command) -> str:
        """Type a command and return what it prints; the terminal stays where it leads."""
        line = command.line.replace("localhost:8080", f"localhost:{self.port}")
        done = subprocess.run(
            ["bash", "-ec", f"{line}\npwd >{self.folder}/../where"],
            cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=900,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        self.folder = Path((self.folder / ".." / "where").read_text().strip())
        return done.stdout

    def serve(self) -> None:
        """Start the service in the other terminal."""
        command = [sys.executable, "-m", "ekiben.commands", "serve", "--port", str(self.port)]
        log = self.folder / "serve.log"
        environment = self.environment | {"GRPC_PORT": str(free_port())}
        with log.open("w") as output:
            self.service = subprocess.Popen(
                command, cwd=self.folder, env=environment, stdout=output, stderr=output, text=True
            )
        running = Service(f"http://127.0.0.1:{self.port}", "", self.service, log)
        wait_until(lambda: is_ready(running), log.read_text)


@pytest.fixture
def newcomer(tmp_path: Path) -> Iterator[Newcomer]:
    somebody = Newcomer(tmp_path)
    yield somebody
    if somebody.service:
        somebody.service.terminate()
        somebody.service.wait(timeout=PATIENCE_S)


def test_a_newcomer_gets_from_a_table_to_an_answer_of_the_changed_one(newcomer: Newcomer) -> None:
    asked = None
    for command in list_steps():
        if command.program == "ekiben" and command.arguments == ["serve"]:
            newcomer.serve()
            continue
        printed = newcomer.type(command)
        asked = command if command.program == "curl" else asked
        lines = iter(printed.splitlines())
        for shown in command.output.splitlines():
            assert any(matches(shown, line) for line in lines), f"{command.line}: {shown}\nis not in {printed}"
    assert asked
    wait_until(lambda: json.loads(newcomer.type(asked))["version"] == "2")
    assert json.loads(newcomer.type(asked))["warnings"] == []
