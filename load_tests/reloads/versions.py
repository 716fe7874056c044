"""Two versions of one model whose answers differ, in a BentoML store of their own.

The first is the packed model. The second is a small network on the same rows with weights by chance: its answers mean
nothing, but that each tells which version gave it.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from ekiben.contract.encoding import Encoder
from ekiben.contract.errors import UserError
from ekiben.load_tests.heavy_model import write_network
from ekiben.model.engine import LiteRTEngine
from ekiben.model.golden import Golden
from ekiben.model.integrity import STORE_FILE
from ekiben.model.package import GOLDEN_FILE, LITERT_FILE, MANIFEST_FILE, SAVED_MODEL_FOLDER, PackedModel, open_model

WIDTH = 64  # of the second network's layers
VERSIONS = FIRST, SECOND = ("1", "2")


def pack_versions(model: PackedModel, home: Path) -> None:
    """Put both versions into the store of that folder."""
    command = [sys.executable, "-m", __name__, str(model.path), model.digest]
    environment = os.environ | {"BENTOML_HOME": str(home)}  # BentoML reads its home once a process
    packing = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if packing.returncode:
        reason = packing.stderr.strip().rpartition("\n")[2]  # the last line of a traceback
        raise UserError(f"the two versions could not be packed: {reason}")


def read_answers(model: PackedModel, home: Path) -> Mapping[str, Golden]:
    """Return the golden rows, which are the same for both, and what each version answers to them."""
    folder = home / "models" / model.name.lower()
    return {version: Golden.model_validate_json((folder / version / GOLDEN_FILE).read_bytes()) for version in VERSIONS}


def pack(model: PackedModel) -> None:
    """Put both versions into this process's store."""
    from ekiben.training.registry.storing import store_package  # BentoML's store, and only here

    with TemporaryDirectory() as name:
        folder = Path(name) / "package"
        shutil.copytree(model.path, folder, ignore=shutil.ignore_patterns(MANIFEST_FILE, STORE_FILE))
        store_package(folder, FIRST, {"run_id": "first"})
        shutil.rmtree(folder / SAVED_MODEL_FOLDER)  # of the other network
        golden = Golden.model_validate_json((folder / GOLDEN_FILE).read_bytes())
        (folder / LITERT_FILE).unlink(missing_ok=True)
        engine = LiteRTEngine(write_network(model, folder, WIDTH))
        answers = engine.run(Encoder(model.schema).encode_rows(golden.rows))
        others = Golden(rows=golden.rows, answers=answers.astype(float).tolist())
        (folder / GOLDEN_FILE).write_text(others.model_dump_json(), encoding="utf-8")
        store_package(folder, SECOND, {"run_id": "second"})


if __name__ == "__main__":
    pack(open_model(Path(sys.argv[1]), sys.argv[2]))
