"""What the documentation shows is so: its Python and shell is run, commands of ours are read by their parser."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from ekiben.commands.parser import build_parser
from ekiben.model.package import PackedModel
from tests.conftest import PATIENCE_S, ROOT, Server, serve
from tests.examples import Command, Example, matches, read_examples, read_script

PAGES = ("README.md", "CONTRIBUTING.md", *(f"docs/{path.name}" for path in sorted((ROOT / "docs").glob("*.md"))))
EXAMPLES = [example for page in PAGES for example in read_examples(ROOT / page, page)]
PYTHON = [example for example in EXAMPLES if example.language == "python" and example.is_run]
SHELL = [example for example in EXAMPLES if example.language != "python"]
ASKING = [example for example in SHELL if example.is_run]
OURS = ("ekiben", "make")
APART = (*OURS, "pip")  # tests/test_wheel.py installs
TARGETS = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
ADDRESSES = ("http://localhost:8080", "http://127.0.0.1:8080", "localhost:8080")
# A person opens a page and reads; a status that is an error is one.
SHOWING = 'curl() { command curl --silent --fail-with-body "$@"; }; xdg-open() { curl --output /dev/null "$1"; }\n'


@pytest.fixture(scope="module")
def logging_server(model: PackedModel, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A service that keeps what it answers, as some pages ask of it."""
    folder = tmp_path_factory.mktemp("examples")
    with serve(folder, LOG_SAMPLE="1", LOG_FOLDER=str(folder / "log")) as running:
        yield running


def address(code: str, server: Server) -> str:
    """Return code that asks this service, where the page's is asked."""
    for shown in ADDRESSES:
        code = code.replace(shown, server.url)
    return code.replace("localhost:9000", server.grpc)


def find_fault(command: Command) -> str:
    """Return why a command of ours can't be as it is shown, or ""."""
    if command.program == "make":
        absent = [word for word in command.arguments if "=" not in word and word not in TARGETS]
        return f"make has no {absent[0]}" if absent else ""
    try:
        _, others = build_parser().parse_known_args(command.arguments)
    except SystemExit:
        return f"the parser rejects {command.line}"
    return f"unknown: {others}" if others and command.arguments[0] != "serve" else ""


@pytest.mark.parametrize("example", SHELL, ids=str)
def test_a_command_of_ours_is_one(example: Example) -> None:
    faults = [find_fault(command) for command in example.commands if command.program in OURS]
    assert not any(faults), faults


@pytest.mark.parametrize("line", ["ekiben train --epoch", "ekiben drift --no-such", "make nothing", "ekiben tran"])
def test_a_command_that_is_none_is_found(line: str) -> None:
    assert find_fault(Command(line))


def walk(page: str) -> list[Command]:
    """Return the commands of a page, from its top to its end, that look, ask and make small files."""
    return [one for example in ASKING if example.page == page for one in example.commands if one.program not in APART]


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in PAGES if walk(page)])
def test_the_shell_examples_of_a_page_print_what_is_shown(logging_server: Server, page: str, tmp_path: Path) -> None:
    commands = walk(page)
    example = httpx.get(f"{logging_server.url}/docs.json").json()["components"]["schemas"]["Row"]["example"]
    (tmp_path / "request.json").write_text(json.dumps({"rows": [example]}))  # which docs/start.md makes
    script = SHOWING + "".join(f"{address(one.line, logging_server)}\nprintf '\\0'\n" for one in commands)
    done = subprocess.run(["bash", "-ec", script], cwd=tmp_path, capture_output=True, text=True, timeout=PATIENCE_S)
    outputs = done.stdout.split("\0")
    assert done.returncode == 0, f"{commands[len(outputs) - 1].line}\n{done.stdout}{done.stderr}"
    for command, printed in zip(commands, outputs, strict=False):
        assert not command.output or matches(command.output, printed), f"{command.line}\nprinted {printed}"


@pytest.mark.slow
@pytest.mark.parametrize("example", PYTHON, ids=str)
def test_a_python_example_prints_what_its_last_line_says(logging_server: Server, example: Example) -> None:
    code = address(example.body, logging_server)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    shown = example.body.splitlines()[-1]
    assert not shown.startswith("# ") or done.stdout.strip() == shown[2:]


def test_a_script_is_read_command_by_command() -> None:
    script = "A=1 curl -d '{\n  \"x\": 1}' url\n# {\"y\": 2}\ncat >f <<'END'\none\nEND\nekiben run  # all of it\n"
    first, second, third = read_script(script)
    assert (first.program, first.output) == ("curl", '{"y": 2}')
    assert second.line == "cat >f <<'END'\none\nEND"
    assert (third.program, third.arguments) == ("ekiben", ["run"])


def test_an_output_is_compared_but_for_what_varies() -> None:
    shown = '{"probability":0.62,"label":true} in 1,234 rows of …, id 6a27f0c53f9a1be2d4001a2f'
    assert matches(shown, '{"probability":0.4e-2,"label":false}\nin 7 rows of x y, id 00b7f0c53f9a1be2d4001a2f\n')
    assert not matches(shown, '{"chance":0.62,"label":true} in 1,234 rows of x, id 6a27f0c53f9a1be2d4001a2f')
    assert not matches("# one warning", "")
