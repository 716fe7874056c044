"""What builds images here: docker, podman, buildah or nerdctl, by way of `bentoml containerize`."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from ekiben.contract.errors import UserError

BUILDERS = ("docker", "podman", "buildah", "nerdctl")
# BentoML 1.4.40 unpacks the Dockerfile's template into a temporary folder, but reads it only below the current one.
ANY_FOLDER = Path("/")
# [REGISTRY[:PORT]/]NAME[:VERSION]
TAG = re.compile(r"[a-z0-9]([a-z0-9._/:-]*[a-z0-9])?(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?")
NO_BASE = ("initializing source", "pull access denied", "failed to resolve", "pinging container registry")


class ImageFailed(UserError):
    """No image can be built, or the builder did not build it."""


def find_builder(wanted: str | None) -> str:
    """Return the builder that is wanted, or the first that works here; raise ImageFailed if there is none."""
    found = [builder for builder in ([wanted] if wanted else BUILDERS) if shutil.which(builder)]
    works = next((builder for builder in found if answers(builder)), None)
    if works:
        return works
    if found:
        raise ImageFailed(f"{found[0]} is installed but does not run: start it, or choose another with --backend")
    if wanted:
        raise ImageFailed(f"{wanted} is not installed: install it, or leave --backend out to use what is")
    raise ImageFailed(f"nothing that builds images is installed: install {', '.join(BUILDERS[:-1])} or {BUILDERS[-1]}")


def answers(builder: str) -> bool:
    """Return whether a builder runs; docker and nerdctl need a daemon, and ask it for its version."""
    return subprocess.run([builder, "version"], capture_output=True).returncode == 0


def check_tag(tag: str) -> None:
    """Raise ImageFailed if no image can be called so."""
    if not TAG.fullmatch(tag):
        raise ImageFailed(f"an image can't be called {tag!r}: use NAME:VERSION in small letters, such as flights:1")


def containerize(
    builder: str, bento: str, tag: str, labels: Mapping[str, str], options: Iterable[str], log: Path
) -> None:
    """Build the image of a bento; what the builder says goes to the log. Raises ImageFailed if it fails."""
    given = [*(f"label={name}={value}" for name, value in labels.items()), *options]
    done = subprocess.run(
        [sys.executable, "-m", "bentoml", "containerize", bento, "--backend", builder, "-t", tag,
         *(part for option in given for part in ("--opt", option))],
        cwd=ANY_FOLDER, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text(done.stdout, encoding="utf-8")
    if done.returncode:
        raise ImageFailed(f"{explain(builder, tag, done.stdout)} (all it said: {log})")


def explain(builder: str, tag: str, output: str) -> str:
    """Return why a build failed."""
    if any(sign in output for sign in NO_BASE):
        return f"{builder} can't get the image's base: pull or import it, or log in to its registry"
    if "no space left" in output:
        return f"the disk is full: {builder} could not build {tag}"
    lines = [line.strip() for line in output.splitlines() if "error" in line.lower()]
    return f"{builder} could not build {tag}: {lines[-1] if lines else 'it does not say why'}"


def read_id(builder: str, tag: str) -> str:
    """Return the SHA-256 of an image's configuration."""
    asked = ("--type", "image", "--format", "{{.FromImageID}}") if builder == "buildah" else ("--format", "{{.Id}}")
    done = subprocess.run([builder, "inspect", *asked, tag], capture_output=True, text=True)
    if done.returncode:
        raise ImageFailed(f"{builder} built {tag} and does not know it: {done.stderr.strip()}")
    return done.stdout.strip().removeprefix("sha256:")


def read_size(builder: str, tag: str) -> str:
    """Return an image's size as its builder shows it."""
    done = subprocess.run([builder, "images", "--format", "{{.Size}}", tag], capture_output=True, text=True)
    return done.stdout.strip() or "size unknown"
