"""Builds the bento as `bentoml build` does, with the packages of one engine."""

import contextlib
from pathlib import Path
from typing import Any

import bentoml
import yaml
from bentoml.exceptions import BentoMLException, NotFound

from ekiben.contract.errors import UserError
from ekiben.deploy.image.locks import LOCKS

ROOT = Path(__file__).resolve().parents[2]
BENTOFILE = ROOT / "bentofile.yaml"


class BentoFailed(UserError):
    """The bento can't be built."""


def read_base() -> str:
    """Return the image that ours begins at, as the bentofile names it."""
    return str(yaml.safe_load(BENTOFILE.read_text(encoding="utf-8"))["docker"]["base_image"])


def build_bento(engine: str, version: str, **changes: Any) -> str:
    """Build a bento of what the bentofile says and of the changes; return its tag. One of that version is replaced.

    What `docker` changes is changed in the bentofile's own.
    """
    options = yaml.safe_load(BENTOFILE.read_text(encoding="utf-8"))
    options["python"]["requirements_txt"] = str(LOCKS[engine])
    with contextlib.suppress(NotFound):
        bentoml.bentos.delete(f"{options['name']}:{version}")
    options["docker"] |= changes.pop("docker", {})
    try:
        with contextlib.chdir(ROOT):  # BentoML 1.4.39 reads the lock and the template only below the current folder
            bento = bentoml.bentos.build(**(options | changes), version=version, build_ctx=str(ROOT))
    except BentoMLException as error:
        raise BentoFailed(f"the bento {options['name']}:{version} can't be built: {error}") from None
    return str(bento.tag)
