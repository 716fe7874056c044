"""Ships code and model to the executors: a zip that Python imports from, and an archive that Spark unpacks."""

import atexit
import hashlib
import io
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from ekiben.deploy.spark.versions import read_versions
from ekiben.model.package import MANIFEST_FILE, PackedModel

if TYPE_CHECKING:
    from pyspark import SparkContext

# What scoring imports of ours; the rest of these rooms is not looked at.
ROOMS = ("contract", "model", "training/tables", "training/scoring", "deploy/spark")
MARKS = ("training/__init__.py", "deploy/__init__.py")
BEGINNING = (1980, 1, 1, 0, 0, 0)  # every file's time: the same content is the same archive


@dataclass(frozen=True)
class Shipped:
    """A model as the executors find it."""

    archive: str  # among the files that Spark gave them
    digest: str  # of its manifest
    engine: str
    versions: dict[str, str]  # of the driver's packages


def ship(context: "SparkContext", model: PackedModel) -> Shipped:
    """Give the executors what they score by; what they have already is not sent again."""
    context.addPyFile(str(pack_code()))
    archive = pack_model(model)
    context.addArchive(str(archive))
    return Shipped(archive.name, model.digest, model.manifest.engine, read_versions(model.manifest.engine))


def pack_code() -> Path:
    """Return a zip of the code that scores, named by its content."""
    code = _pack(_list_code())
    return _write(f"ekiben-{hashlib.sha256(code).hexdigest()[:16]}.zip", code)


def pack_model(model: PackedModel) -> Path:
    """Return a zip of a packed folder, named by its manifest."""
    return _write(f"ekiben-model-{model.digest[:16]}.zip", _pack(_list_model(model)))


def _list_code() -> Iterator[tuple[str, bytes]]:
    root = Path(__file__).parents[2]
    for room in ROOMS:
        for path in sorted((root / room).rglob("*.py")):
            yield f"ekiben/{path.relative_to(root).as_posix()}", path.read_bytes()
    for mark in MARKS:
        yield f"ekiben/{mark}", (root / mark).read_bytes()


def _list_model(model: PackedModel) -> Iterator[tuple[str, bytes]]:
    for name in sorted((*model.manifest.files, MANIFEST_FILE)):
        yield name, (model.path / name).read_bytes()


def _pack(files: Iterator[tuple[str, bytes]]) -> bytes:
    """Return files as a zip, with their folders: Python finds no package without __init__.py by its files alone."""
    listed = dict(files)
    folders = {f"{parent.as_posix()}/" for name in listed for parent in Path(name).parents if parent.name}
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(folders):
            archive.writestr(zipfile.ZipInfo(name, BEGINNING), b"")
        for name, content in sorted(listed.items()):
            archive.writestr(zipfile.ZipInfo(name, BEGINNING), content, zipfile.ZIP_DEFLATED)
    return packed.getvalue()


def _write(name: str, content: bytes) -> Path:
    """Write a file that stays while this process lives: executors that start later fetch it then."""
    path = _folder() / name
    if not path.exists():
        path.write_bytes(content)
    return path


@cache
def _folder() -> Path:
    folder = tempfile.TemporaryDirectory(prefix="ekiben-spark-")
    atexit.register(folder.cleanup)
    return Path(folder.name)
