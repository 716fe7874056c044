"""The image, built and run with podman as platforms run it; skipped where podman is not."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.conftest import ROOT, STATE, free_port, wait_until
from tests.http_client import HTTP

IMAGE = "ekiben-tests:1"
ENVIRONMENT = {"BUILDAH_ISOLATION": "chroot", "CONTAINERS_CONF": str(STATE / "containers.conf")}
# For a machine that is itself a container: no network of its own, no raised limits, the old cgroups.
CONFIGURATION = """
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
netns = "host"
[engine]
runtime = "/usr/sbin/runc"
cgroup_manager = "cgroupfs"
"""


def podman(*arguments: str, fails: bool = False, timeout_s: float = 300) -> str:
    """Run podman, check that it succeeds or fails, and return what it printed."""
    done = subprocess.run(
        ["podman", *arguments],
        env=os.environ | ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=timeout_s,
    )  # fmt: skip
    assert (done.returncode != 0) == fails, done.stdout
    return done.stdout.strip()


def prepare_podman() -> None:
    """Configure podman and see to the base image; skip the test where neither can be had."""
    if not shutil.which("podman") or os.geteuid() != 0:
        pytest.skip("podman is not installed, or this is not root")
    Path(ENVIRONMENT["CONTAINERS_CONF"]).write_text(CONFIGURATION)
    done = subprocess.run([ROOT / ".ci/base-image"], env=os.environ | ENVIRONMENT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def make_image() -> None:
    """Build IMAGE as the README says, in this environment as it is."""
    options = f"--backend podman --opt network=host --tag {IMAGE}"
    command = ["make", f"VENV={sys.prefix}", "-o", f"{sys.prefix}/image", "image", f"OPTIONS={options}"]
    done = subprocess.run(command, cwd=ROOT, env=os.environ | ENVIRONMENT, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"podman run --rm -p 8080:8080 -p 9000:9000 {IMAGE}" in done.stdout
    assert "carries 256 golden rows held out of training, 64 background rows of training" in done.stdout


def build(*arguments: str, fails: bool = False, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Run `python -m ekiben.deploy.image` in the project's root."""
    done = subprocess.run(
        [sys.executable, "-m", "ekiben.deploy.image", *arguments],
        cwd=ROOT, env=os.environ | ENVIRONMENT | environment, capture_output=True, text=True, timeout=1800,
    )  # fmt: skip
    assert (done.returncode != 0) == fails, done.stdout + done.stderr
    return done


@dataclass(frozen=True)
class Container:
    """A running container; to the clients' callers it is a server."""

    name: str
    url: str
    grpc: str  # its address

    @property
    def log(self) -> str:
        return podman("logs", self.name)

    def execute(self, *command: str, fails: bool = False) -> str:
        return podman("exec", self.name, *command, fails=fails)

    def stop(self) -> int:
        """Send SIGTERM; return the exit code, 137 if it had to be killed after the nine seconds it has."""
        podman("stop", "--time", "9", self.name)
        return int(podman("wait", self.name))


@contextmanager
def start(*arguments: str, options: Sequence[str] = (), **environment: str) -> Iterator[Container]:
    """Run the image with these arguments, podman's options and variables, and wait until it is ready."""
    port, grpc_port = free_port(), free_port()
    ports = {"PORT": str(port), "GRPC_PORT": str(grpc_port)} if "--env=no-ports" not in options else {}
    given = [f"--env={name}={value}" for name, value in (ports | {"DRAIN_DELAY_S": "0"} | environment).items()]
    name = f"ekiben-{port}"
    http_port = environment.get("AIP_HTTP_PORT") or environment.get("SAGEMAKER_BIND_TO_PORT") or port
    container = Container(name, f"http://127.0.0.1:{http_port}", f"127.0.0.1:{grpc_port}")
    podman("run", "--detach", "--name", name, *given, *options, IMAGE, *arguments)
    try:
        wait_until(lambda: is_ready(container), lambda: container.log)
        yield container
    finally:
        podman("rm", "--force", "--time", "0", name)


def is_ready(container: Container) -> bool:
    state = podman("inspect", "--format", "{{.State.Status}}", container.name)
    assert state != "exited", container.log
    try:
        return HTTP.get(f"{container.url}/readyz").status_code == 200
    except httpx.TransportError:
        return False
