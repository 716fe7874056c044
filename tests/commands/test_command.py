"""The command line of `ekiben`: help, version, completion, and one sentence for each mistake."""

import argparse
import subprocess
import sys
from functools import partial
from importlib import import_module
from pathlib import Path

import pytest

from ekiben.commands import extras
from ekiben.commands.__main__ import main
from ekiben.commands.extras import MissingExtra, as_missing_extra
from ekiben.commands.parser import build_parser
from ekiben.contract.errors import UserError
from ekiben.contract.version import VERSION
from ekiben.training.home import find_data, find_home, find_problem_file, make_folder
from ekiben.training.registry.git import UNKNOWN, git_commit
from ekiben.training.registry.store import read_uri
from tests.conftest import ROOT, run
from tests.repository import begin_repository, git

Capture = pytest.CaptureFixture[str]
COMMANDS = (
    *("explore", "init", "train", "compare", "promote", "rollback", "report", "compare-schema"),
    *("predict", "serve", "image"),
    *("drift", "challenger", "canary", "score-live", "alarms"),
    *("run", "step", "runs", "watch", "decisions", "recalibrate", "data", "lineage", "sign"),
    *("capacity", "overload", "soak", "reloads", "loading", "hostile", "bench", "peers", "models", "batching", "cost"),
    *("explanations", "parquet", "start", "tables", "completion"),
)
HEAVY = ("tensorflow", "mlflow", "bentoml", "pandas", "numpy", "pydantic")


def call(*arguments: str) -> int:
    """Return the exit code, as of a process."""
    try:
        return main(list(arguments))
    except SystemExit as end:
        return int(end.code or 0)


def test_help_has_a_line_for_each_command_in_the_order_of_a_models_life(capsys: Capture) -> None:
    assert call("--help") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines if line[:2] == "  " and line[2:3].isalpha()] == list(COMMANDS)
    assert max(map(len, lines)) <= 120


def test_version(capsys: Capture) -> None:
    assert call("--version") == 0
    assert capsys.readouterr().out == f"ekiben {VERSION}\n"


def test_help_imports_nothing_heavy() -> None:
    code = "import sys; from ekiben.commands.__main__ import main\ntry: main(['--help'])\nexcept SystemExit: pass\n"
    printed = run("-c", f"{code}print([name for name in {HEAVY} if name in sys.modules])").stdout
    assert printed.splitlines()[-1] == "[]"


def test_the_problem_file_is_named_alike_by_every_command() -> None:
    (commands,) = (each.choices for each in build_parser()._actions if isinstance(each, argparse._SubParsersAction))
    taken = [each for command in commands.values() for each in command._actions if "--problem" in each.option_strings]
    assert len(taken) > 15
    assert {(*each.option_strings, each.help) for each in taken} == {("-p", "--problem", taken[0].help)}


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_knows_every_command_and_its_options(shell: str, capsys: Capture) -> None:
    assert call("completion", shell) == 0
    script = capsys.readouterr().out
    assert all(word in script for word in (*COMMANDS, "if-missing", "slo-p99-ms"))


def test_bash_completes_a_command(capsys: Capture, tmp_path: Path) -> None:
    assert call("completion", "bash") == 0
    script = capsys.readouterr().out
    asked = 'COMP_WORDS=(ekiben pro); COMP_CWORD=1; COMP_LINE="ekiben pro"; _shtab_ekiben; echo "${COMPREPLY[@]}"'
    done = subprocess.run(["bash", "-c", f"{script}\n{asked}"], capture_output=True, text=True, cwd=tmp_path)
    assert done.stdout.strip() == "promote", done.stderr


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "ekiben: error: the following arguments are required: COMMAND"),
        (["fly"], "ekiben: error: argument COMMAND: invalid choice: 'fly' (choose from "),
        (["train", "--colour", "red"], "ekiben: error: unrecognized arguments: --colour red"),
        (["completion", "sh"], "ekiben completion: error: argument shell: invalid choice: 'sh'"),
        (["init", "t.csv", "--target", "y", "--delimiter", "||"], "expected one character, or \\t for a tab, got '||'"),
    ],
)
def test_a_mistake_is_one_sentence(arguments: list[str], sentence: str, capsys: Capture) -> None:
    assert call(*arguments) == 2
    assert sentence in capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize(
    ("extra", "installing"),
    [
        ("notebook", f"{sys.executable} -m pip install --no-deps -r {ROOT}/requirements/notebook.txt"),
        ("signing", "pip install 'ekiben[signing]'"),
        ("", "pip install ekiben"),
    ],
)
def test_a_command_whose_packages_are_missing_says_what_brings_them(extra: str, installing: str) -> None:
    with pytest.raises(MissingExtra) as caught:
        as_missing_extra(extra, partial(import_module, "no_such_module"))
    assert str(caught.value) == f"this command needs no_such_module, which is not installed: {installing}"


def test_a_wheel_has_no_locks_and_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "LOCKS", tmp_path)
    assert extras.advise("notebook") == "pip install 'ekiben[notebook]'"


def test_serve_without_a_model(tmp_path: Path) -> None:
    done = run("-m", "ekiben.commands", "serve", "--model", "nothing", fails=True, BENTOML_HOME=str(tmp_path))
    assert done.stderr == "error: there is no model `nothing` in the BentoML store: run `ekiben train` first\n"


def test_a_load_test_takes_the_model_of_the_folders_problem(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MODEL_NAME", "")
    (tmp_path / "t.csv").write_text("a,b\n" + "1,2\n3,5\n" * 40)
    assert call("init", "t.csv", "--target", "b", "--name", "nothing") == 0
    capsys.readouterr()
    assert call("parquet") == 2
    assert capsys.readouterr().err == (
        "error: there is no model `nothing` in the BentoML store: run `ekiben train` first\n"
    )


def test_a_home_that_cannot_be_made(tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "t.csv").write_text("a,b\n1,2\n")
    monkeypatch.setenv("EKIBEN_HOME", str(tmp_path / "file" / "home"))
    assert call("init", str(tmp_path / "t.csv"), "--target", "b") == 2
    assert capsys.readouterr().err == (
        f"error: EKIBEN_HOME={tmp_path}/file/home can't be made (Not a directory): "
        "run in a folder that you can write to, or set EKIBEN_HOME to one\n"
    )


def test_state_is_in_the_home_and_else_in_the_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home, work = tmp_path / "a" / "home", tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    monkeypatch.delenv("EKIBEN_HOME", raising=False)
    (work / "t.csv").write_text("a,b\n" + "1,2\n3,5\n" * 40)
    for folder in (work, home):
        assert call("init", "t.csv", "--target", "b") == 0
        assert (find_problem_file(), find_data()) == (find_home() / "problem.toml", folder / "data")
        assert (folder / "problem.toml").exists()
        assert read_uri() == f"sqlite:///{folder}/data/mlflow.db"
        monkeypatch.setenv("EKIBEN_HOME", str(home))


def test_a_working_folder_that_is_read_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/proc")  # where root can't write either
    with pytest.raises(UserError, match=r"^/proc/data can't be made \(.*\): run in a folder that you can write to, or"):
        make_folder("data")


def test_the_commit_is_that_of_the_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert git_commit() == UNKNOWN
    begin_repository(tmp_path)
    assert git_commit() == git(tmp_path, "rev-parse", "HEAD").decode().strip()


@pytest.mark.parametrize("kind", ["no git", "broken repository"])
def test_a_commit_that_nobody_knows_is_no_error(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "HEAD").write_bytes(bytes(range(128, 256)))
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    if kind == "no git":
        monkeypatch.setenv("PATH", str(tmp_path))
    assert git_commit() == UNKNOWN
