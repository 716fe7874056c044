"""The BentoML model store: which model is in it, and whether it is as it was packed."""

from pathlib import Path

import bentoml
from bentoml.exceptions import BentoMLException

from ekiben.contract.errors import InvalidModel
from ekiben.model.golden import MEND
from ekiben.model.package import PackedModel, open_model

DIGEST_LABEL = "manifest_digest"  # in the BentoML store: the SHA-256 of the manifest as it was packed


def find_model(name: str) -> bentoml.Model:
    """Return the newest model of that name in the BentoML store, or of the only name there if none is given.

    Raises InvalidModel if there is none, or several to choose from.
    """
    name = name or _find_name()
    try:
        return bentoml.models.get(f"{name}:latest")
    except BentoMLException:
        raise InvalidModel(f"there is no model `{name}` in the BentoML store: run `ekiben train` first") from None


def _find_name() -> str:
    names = sorted({model.tag.name for model in bentoml.models.list() if "run_id" in model.info.labels})
    if not names:
        raise InvalidModel("there is no model in the BentoML store: run `ekiben train` first")
    if len(names) > 1:
        raise InvalidModel(f"the BentoML store has {', '.join(names)}: choose one with MODEL_NAME={names[0]}")
    return names[0]


def open_stored(stored: bentoml.Model, expected_digest: str = "") -> PackedModel:
    """Read a model of the BentoML store; raise InvalidModel unless it is as it was packed.

    With `expected_digest` its manifest must be that very one: who can write the store can change its labels too.
    """
    digest = stored.info.labels.get(DIGEST_LABEL)
    if digest is None:
        raise InvalidModel(f"{stored.path} was packed before its manifest's digest was kept with it: {MEND}")
    if expected_digest and digest != expected_digest:
        remedy = "serve the model that it is of, or set it to this digest if you packed this model"
        raise InvalidModel(
            f"{stored.path} has the manifest digest {digest}, but MODEL_DIGEST={expected_digest}: {remedy}"
        )
    return open_model(Path(stored.path), digest)
