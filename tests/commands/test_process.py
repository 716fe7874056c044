"""The process of a command: an interrupt, a reader that leaves, a folder that can't be written to."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import PATIENCE_S, ROOT, free_port, run, wait_until

COMMAND = [sys.executable, "-m", "ekiben.commands"]
TABLE = "a,b\n" + "1,2\n3,5\n" * 40
GONE = """
import os, subprocess, sys
read, write = os.pipe()
os.close(read)
print(subprocess.run(sys.argv[1:], stdout=write).returncode)
"""


def start(*arguments: str, folder: Path, **environment: str) -> "subprocess.Popen[str]":
    """Start a command in a folder."""
    return subprocess.Popen(
        [*COMMAND, *arguments],
        cwd=folder, env=os.environ | environment,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["train", "--help"], ["completion", "bash"]])
def test_a_reader_that_is_gone_is_no_error(arguments: list[str]) -> None:
    done = run("-c", GONE, *COMMAND, *arguments, PYTHONUNBUFFERED="")
    assert (done.stdout, done.stderr) == ("141\n", "")


def test_a_standard_output_that_is_closed_is_no_error() -> None:
    shell = ["bash", "-c", '"$@" >&-', "bash", *COMMAND]
    for arguments in (["completion", "bash"], ["--version"]):
        done = subprocess.run([*shell, *arguments], cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == 0
        assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_an_interrupt_of_training_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(TABLE)
    made = subprocess.run([*COMMAND, "init", "t.csv", "--target", "b"], cwd=tmp_path, capture_output=True, check=True)
    assert made.stdout
    process = start("train", folder=tmp_path, MLFLOW_TRACKING_URI="", BENTOML_HOME=str(tmp_path / "bentoml"))
    assert process.stdout
    assert process.stdout.readline() == "loading TensorFlow …\n"
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, errors) == (130, "interrupted: the champion is unchanged\n")


@pytest.mark.slow
@pytest.mark.usefixtures("model")
def test_an_interrupt_of_serving_ends_it_in_peace(tmp_path: Path) -> None:
    port, log = free_port(), tmp_path / "serve.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [*COMMAND, "serve", "--port", str(port)],
            cwd=tmp_path, env=os.environ | {"GRPC_PORT": str(free_port()), "DRAIN_DELAY_S": "0"},
            stdout=output, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
    wait_until(lambda: "Try it:" in log.read_text() or process.poll() is not None, log.read_text)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to all of them
    assert process.wait(timeout=PATIENCE_S) in (0, 130, -signal.SIGINT)
    assert "Traceback" not in log.read_text()


@pytest.mark.parametrize("arguments", [["train"], ["compare"], ["promote", "1"], ["rollback"], ["init", "t.csv"]])
def test_a_home_that_is_a_file_is_one_sentence(arguments: list[str], tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(TABLE)
    given = [*arguments, "--target", "b"] if arguments[0] == "init" else arguments
    process = start(*given, folder=tmp_path, EKIBEN_HOME="t.csv", MLFLOW_TRACKING_URI="")
    _, errors = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, errors) == (
        2,
        "error: EKIBEN_HOME=t.csv can't be made (File exists): "
        "run in a folder that you can write to, or set EKIBEN_HOME to one\n",
    )


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["train"], r"/proc/data can't be made \(.*\): run in a folder that you can write to, or set .*"),
        (["init", "{}/t.csv", "--target", "b"], r"problem\.toml can't be written: .*"),
        (["capacity"], r"capacity can't be made \(.*\): choose another folder with --output"),
    ],
)  # fmt: skip
def test_a_folder_that_cannot_be_written_to_is_one_sentence(
    arguments: list[str], sentence: str, tmp_path: Path
) -> None:
    (tmp_path / "t.csv").write_text(TABLE)
    given = [argument.format(tmp_path) for argument in arguments]
    process = start(*given, folder=Path("/proc"), MLFLOW_TRACKING_URI="")  # where root can't write either
    _, errors = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 2
    assert re.fullmatch(f"error: {sentence}", errors.splitlines()[-1])
    assert "Traceback" not in errors


@pytest.mark.slow
@pytest.mark.usefixtures("model")
def test_an_image_without_a_builder_is_one_sentence() -> None:
    done = run("-m", "ekiben.commands", "image", fails=True, PATH="/nowhere")
    assert done.stderr == (
        "error: nothing that builds images is installed: install docker, podman, buildah or nerdctl\n"
    )
