"""Reads an image as the engine that has it shows it: its labels, and a file of it; nothing in it is run."""

import io
import json
import shutil
import subprocess
import tarfile
import tempfile
from typing import Any

from ekiben.contract.errors import UserError
from ekiben.deploy.image.builder import BUILDERS

MODELS = "/opt/bento/models"  # where the image has its packed model, by name and version
TIMEOUT_S = 120
MAX_BYTES = 64 * 2**20  # that an engine prints


class ImageUnknown(UserError):
    """No engine here has such an image."""


def read_labels(image: str) -> tuple[str, dict[str, str]]:
    """Return the engine that has an image, and the image's labels; raise ImageUnknown if none has it."""
    engines = [engine for engine in BUILDERS if shutil.which(engine)]
    for engine in engines if not image.startswith("-") else ():
        command = ("inspect", "--type", "image") if engine == "buildah" else ("image", "inspect")
        shown = _run(engine, *command, image)
        if shown is not None:
            return engine, _find_labels(json.loads(shown))
    if not engines:
        raise ImageUnknown(f"no engine is installed that could have the image {image}: {', '.join(BUILDERS)}")
    raise ImageUnknown(f"{', '.join(engines)} has no image {image}: build it with `ekiben image`, or pull it")


def read_file(engine: str, image: str, path: str) -> bytes | None:
    """Return a file of an image; None if it has none there, or if the engine (buildah) can't copy out of one."""
    created = None if engine == "buildah" else _run(engine, "create", image)
    if not created:
        return None
    container = created.decode().split()[-1]
    try:
        copied = _run(engine, "cp", f"{container}:{path}", "-")
    finally:
        _run(engine, "rm", container)
    if copied is None:
        return None
    with tarfile.open(fileobj=io.BytesIO(copied)) as archive:
        member = next(iter(archive), None)
        file = archive.extractfile(member) if member and member.isfile() else None
        return file.read() if file else None


def list_images(label: str) -> list[str]:
    """Return the names of images that have a label, of the form name=value, in every engine here."""
    names: dict[str, None] = {}
    for engine in BUILDERS:
        asked = ("images", "--filter", f"label={label}", "--format", "{{.Repository}}:{{.Tag}}")
        done = _run(engine, *asked) if engine != "buildah" and shutil.which(engine) else None
        names |= dict.fromkeys((done or b"").decode().split())
    return list(names)


def _find_labels(shown: Any) -> dict[str, str]:
    one = shown[0] if isinstance(shown, list) else shown
    places = (one.get("Config"), (one.get("OCIv1") or {}).get("config"), one)
    return next((place["Labels"] for place in places if place and place.get("Labels")), {})


def _run(engine: str, *arguments: str) -> bytes | None:
    """Return what an engine prints, None if it fails, takes too long or prints too much."""
    with tempfile.TemporaryFile() as output:
        try:
            done = subprocess.run([engine, *arguments], stdout=output, stderr=subprocess.DEVNULL, timeout=TIMEOUT_S)
        except (OSError, subprocess.TimeoutExpired):
            return None
        if done.returncode or output.tell() > MAX_BYTES:
            return None
        output.seek(0)
        return output.read()
