"""Builds the image of one version, starts it, and asks it for the golden answers, in a process of its own.

`python -m ekiben.pipeline.gates.image_replay NAME VERSION TAG [OPTION …]` with BENTOML_HOME an empty folder: the
version is the only model there, and so the one that the image gets, whichever is the champion. It prints the largest
difference.
"""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ekiben.contract.answers import to_predictions
from ekiben.contract.encoding import Encoder
from ekiben.contract.errors import UserError
from ekiben.deploy.image.build import Plan, build
from ekiben.deploy.image.builder import find_builder
from ekiben.model.golden import Golden
from ekiben.model.package import CHAMPION, PackedModel
from ekiben.training.process import prepare_environment, run_process
from ekiben.training.registry import tracking
from ekiben.training.registry.version_packages import open_package, store_version

START_TIMEOUT_S, ANSWER_TIMEOUT_S = 120.0, 30.0
RUNNERS = {"buildah": "podman"}  # which builds for it


class ImageSilent(UserError):
    """A container of the image does not answer."""


def main() -> int:
    """Build, start, ask, and print how far the answers are from the golden ones."""
    name, version, tag, *options = sys.argv[1:]
    with contextlib.redirect_stdout(sys.stderr):
        tracking.connect()
        registered = tracking.get_version(name, version)
        with open_package(registered) as package:
            model = store_version(package, registered, CHAMPION)
        build(Plan(model=name, tag=tag, options=options))
        with running(find_builder(None), tag) as url:
            difference = replay(url, model)
    print(difference)
    return 0


@contextlib.contextmanager
def running(builder: str, tag: str) -> Iterator[str]:
    """Run the image on free ports of this machine, wait until it is ready, and yield its URL."""
    runner, port, other = RUNNERS.get(builder, builder), _find_port(), _find_port()
    variables = {"PORT": port, "GRPC_PORT": other, "DRAIN_DELAY_S": 0}
    given = [*(f"--env={key}={value}" for key, value in variables.items()), f"--publish=127.0.0.1:{port}:{port}"]
    name = f"ekiben-replay-{port}"
    started = subprocess.run([runner, "run", "--detach", "--name", name, *given, tag], capture_output=True, text=True)
    if started.returncode:
        raise ImageSilent(f"{runner} can't run {tag}: {_last_line(started.stderr)}")
    try:
        _wait(f"http://127.0.0.1:{port}", runner, name)
        yield f"http://127.0.0.1:{port}"
    finally:
        subprocess.run([runner, "rm", "--force", name], capture_output=True)


def replay(url: str, model: PackedModel) -> float:
    """Return the largest difference of what a service answers to the golden rows, in units of the target's scale."""
    golden = model.load_golden() if model.has_golden else answer_example(model)
    target = model.schema.target
    body = json.dumps({"rows": golden.rows}).encode()
    request = urllib.request.Request(f"{url}/predict", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=ANSWER_TIMEOUT_S) as answer:
        given = json.load(answer)["predictions"]
    wanted = to_predictions(target, np.array(golden.answers, np.float32))
    numbers = [np.array(list(_read_numbers(one))) for one in (given, wanted)]
    if numbers[0].shape != numbers[1].shape:
        return float("inf")
    return float((np.abs(numbers[0] - numbers[1]) / np.maximum(target.scale, np.abs(numbers[1]))).max())


def answer_example(model: PackedModel) -> Golden:
    """Return what the packed engine answers here to the one row that a package without golden rows has."""
    rows = [model.schema.example]
    return Golden(rows=rows, answers=model.start_engine().run(Encoder(model.schema).encode_rows(rows)).tolist())


def _read_numbers(value: Any) -> Iterator[float]:
    if isinstance(value, dict):
        for name in sorted(value):
            if name != "label":  # which follows from the probabilities
                yield from _read_numbers(value[name])
    elif isinstance(value, list):
        for held in value:
            yield from _read_numbers(held)
    else:
        yield float(value)


def _wait(url: str, runner: str, name: str) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError, urllib.error.URLError):
            if urllib.request.urlopen(f"{url}/readyz", timeout=ANSWER_TIMEOUT_S).status == 200:
                return
        time.sleep(0.2)
    logs = subprocess.run([runner, "logs", name], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True).stdout
    raise ImageSilent(f"the image is not ready within {START_TIMEOUT_S:.0f} s: {_last_line(logs)}")


def _last_line(text: str) -> str:
    return next((line for line in reversed(text.splitlines()) if line.strip()), "it says nothing")


def _find_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def build_elsewhere(name: str, version: str, tag: str, options: Sequence[str], home: Path) -> float:
    """Do all this in a process whose BentoML store is this folder, and return the difference; raise ImageSilent."""
    command = [sys.executable, "-m", "ekiben.pipeline.gates.image_replay", name, version, tag, *options]
    done = subprocess.run(command, env=os.environ | {"BENTOML_HOME": str(home)}, stdout=subprocess.PIPE, text=True)
    shutil.rmtree(home, ignore_errors=True)
    if done.returncode:
        raise ImageSilent(
            f"the image of version {version} of {name} can't be built or started: the lines above say why"
        )
    return float(done.stdout.split()[-1])


if __name__ == "__main__":
    prepare_environment()
    sys.exit(run_process(main, sys.argv))
