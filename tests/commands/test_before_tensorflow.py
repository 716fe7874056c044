"""What is wrong with a command and can be known at once is one sentence, and TensorFlow is not imported for it."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.conftest import stores_in

PROBLEM = """
name = "goods"
source = { path = "gone.csv" }
target = { name = "sold", task = "binary" }
[features]
size = { kind = "number" }
"""
STORE = "--store"  # of a case: the address of MLflow's store in place of the folder's own
NO_FOLDER = "can't be written (there is no folder nowhere): name another file"
NO_MODEL = "there is no model `goods` in the BentoML store: run `ekiben train` first"
CASES: Mapping[tuple[str, ...], str] = {
    ("train",): "there is no file or folder {folder}/gone.csv",
    ("train", "--table", "abc"): "no one table is meant by 'abc': none that is kept in",
    ("train", "--from-log", "nowhere"): "nowhere can't be listed (No such file or directory): name the folder",
    ("train", "--from-log", "log", "--labels", "none.csv"): "there is no file or folder none.csv",
    ("train", "--memory", "1MB"): "--memory: the libraries alone take",
    ("train", "--from-provenance", "nowhere.json"): "nowhere.json can't be read (No such file or directory)",
    ("train", "--problem", "whole.toml", STORE, "http://[::1"): "the MLflow store http://[::1 can't be used: ",
    ("report", "-o", "nowhere/report.html"): f"nowhere/report.html {NO_FOLDER}",
    ("report", "-o", "log"): "log can't be written (Is a directory): name another file",
    ("report",): NO_MODEL,
    ("recalibrate", "log", "--promote", "-o", "nowhere/r.json"): f"nowhere/r.json {NO_FOLDER}",
    ("recalibrate", "log", "--promote"): NO_MODEL,
    ("score-live", "log", "-o", "nowhere/s.html"): f"nowhere/s.html {NO_FOLDER}",
    ("drift", "http://127.0.0.1:1", "-o", "nowhere/d.html"): f"nowhere/d.html {NO_FOLDER}",
    ("challenger", "http://127.0.0.1:1", "-o", "nowhere/c.html"): f"nowhere/c.html {NO_FOLDER}",
    ("predict", "whole.csv"): NO_MODEL,
}
RUN_ALL = f"""
import contextlib, io, json, os, sys
from ekiben.commands.__main__ import main
sys.modules["tensorflow"] = sys.modules["keras"] = None  # whoever imports them fails
said = []
for case in json.loads(sys.argv[1]):
    if "{STORE}" in case:
        at = case.index("{STORE}")
        os.environ["MLFLOW_TRACKING_URI"] = case[at + 1]
        case = case[:at] + case[at + 2:]
    output, errors = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(errors):
        code = main(case)
    said.append([code, output.getvalue(), errors.getvalue()])
print(json.dumps(said))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a problem whose table is gone, and one whose table is there."""
    folder = tmp_path_factory.mktemp("goods")
    (folder / "log").mkdir()
    (folder / "whole.csv").write_text("size,sold\n" + "1,yes\n2,no\n" * 40)
    (folder / "problem.toml").write_text(PROBLEM)
    (folder / "whole.toml").write_text(PROBLEM.replace("gone.csv", "whole.csv"))
    return folder


@pytest.fixture(scope="module")
def answers(folder: Path) -> Mapping[tuple[str, ...], tuple[int, str, str]]:
    """The exit code of each case, and what it printed; all of them in one process, as their imports take seconds."""
    variables = os.environ | stores_in(folder) | {"EKIBEN_HOME": str(folder)}
    command = [sys.executable, "-c", RUN_ALL, json.dumps(list(CASES))]
    done = subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return dict(zip(CASES, map(tuple, json.loads(done.stdout)), strict=True))


@pytest.mark.parametrize("case", CASES, ids=" ".join)
def test_it_is_said_at_once(
    case: tuple[str, ...], answers: Mapping[tuple[str, ...], tuple[int, str, str]], folder: Path
) -> None:
    code, output, errors = answers[case]
    assert (code, output) == (2, "")
    assert errors.startswith(f"error: {CASES[case].format(folder=folder)}")
    assert errors.count("\n") == 1
