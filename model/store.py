"""The BentoML model store: which model is in it, and whether it is as it was packed."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import bentoml
from bentoml.exceptions import NotFound

from ekiben.contract.errors import InvalidModel, UserError
from ekiben.contract.validation import shorten
from ekiben.model.golden import MEND
from ekiben.model.home import StoreUnusable, find_home
from ekiben.model.package import CHALLENGER, VERSION, PackedModel, open_model

NAME = re.compile(r"[a-z][a-z0-9_]{0,62}", re.IGNORECASE)  # as a problem is called; BentoML takes no longer one
ALIAS_LABEL = "alias"  # in the BentoML store: champion or challenger, as it was packed
DIGEST_LABEL = "manifest_digest"  # in the BentoML store: the SHA-256 of the manifest as it was packed


class ModelMissing(InvalidModel):
    """The store has no such model."""


class VersionMissing(ModelMissing):
    """The store has no such version of the model."""


def check_writable() -> None:
    """Raise StoreUnusable if no model can be put into the store."""
    home = find_home()
    with usable_home():
        home.mkdir(parents=True, exist_ok=True)
    if not os.access(home, os.W_OK | os.X_OK):
        raise StoreUnusable(f"the BentoML store {home} can't be written to: set BENTOML_HOME to a folder that can")


@contextmanager
def usable_home() -> Iterator[None]:
    """Turn what the system says of the store's folder into StoreUnusable; BentoML makes it whenever it is used."""
    home = find_home()
    try:
        yield
    except OSError as error:
        advice = "set BENTOML_HOME to a folder that can be written to"
        raise StoreUnusable(f"the BentoML store {home} can't be used ({error.strerror or error}): {advice}") from None


def find_model(name: str, version: str = "") -> bentoml.Model:
    """Return the newest model of that name in the BentoML store, or of the only name there if none is given.

    One that was packed as a challenger is not the newest. With `version` that very one. Raises InvalidModel if there is
    none, or several to choose from.
    """
    name = name or _find_name()
    try:
        if not NAME.fullmatch(name) or (version and not re.fullmatch(VERSION, version)):
            raise NotFound(name)
        with usable_home():
            return bentoml.models.get(f"{name}:{version}") if version else _find_newest(name)
    except NotFound:
        shown = shorten(name)
        if version:
            sentence = f"there is no version {shorten(version)} of `{shown}` in the BentoML store: pack it with"
            raise VersionMissing(f"{sentence} `ekiben promote`") from None
        raise ModelMissing(f"there is no model `{shown}` in the BentoML store: run `ekiben train` first") from None
    except InvalidModel:
        raise
    except Exception as error:  # BentoML's own, or of the packages that it reads the file with
        raise InvalidModel(f"the model `{name}` in the BentoML store can't be read ({_say(error)}): {MEND}") from None


def is_stored(name: str) -> bool:
    """Return whether the store has a model of that name that answers."""
    try:
        find_model(name)
    except UserError:
        return False
    return True


def read_latest(name: str) -> str | None:
    """Return which version of a model the store names as its newest, None if it can't be read."""
    try:
        return _find_latest(name).read_text(encoding="utf-8").strip() or None
    except (OSError, ValueError):
        return None


def find_challenger(name: str, version: str) -> bentoml.Model:
    """Return that version of a model, or of `challenger` the newest that was packed as one; raise InvalidModel."""
    if version != CHALLENGER:
        return find_model(name, version)
    with usable_home():
        found = [stored for stored in bentoml.models.list(name) if _is_challenger(stored)]
    if not found:
        raise InvalidModel(
            f"no version of `{shorten(name)}` is packed as its challenger: `ekiben train` packs one that is not better "
            "than the champion, or name a version"
        )
    return max(found, key=_tell_age)


@contextmanager
def keep_newest(name: str) -> Iterator[None]:
    """Let the newest version of a model stay what it was, whatever is put into the store inside."""
    before = read_latest(name)
    yield
    if before is not None and read_latest(name) != before:
        path = _find_latest(name)
        unfinished = path.with_suffix(".part")  # a service that watches the file must not see it empty
        unfinished.write_text(before, encoding="utf-8")
        unfinished.replace(path)


def _say(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)


def _find_newest(name: str) -> bentoml.Model:
    newest = bentoml.models.get(f"{name}:latest")
    if not _is_challenger(newest):
        return newest
    others = [stored for stored in bentoml.models.list(name) if not _is_challenger(stored)]
    if not others:
        raise NotFound(name)
    return max(others, key=_tell_age)


def _is_challenger(stored: bentoml.Model) -> bool:
    return bool(stored.info.labels.get(ALIAS_LABEL) == CHALLENGER)


def _tell_age(stored: bentoml.Model) -> datetime:
    return stored.creation_time


def _find_latest(name: str) -> Path:
    return find_home() / "models" / name.lower() / "latest"


def list_names() -> list[str]:
    """Return the names of the models that were packed into the BentoML store; raise InvalidModel if one is damaged."""
    try:
        with usable_home():
            return sorted({model.tag.name for model in bentoml.models.list() if "run_id" in model.info.labels})
    except UserError:
        raise
    except Exception as error:  # BentoML's own, or of the packages that it reads the files with
        raise InvalidModel(
            f"a model in {find_home() / 'models'} can't be read ({_say(error)}): remove its folder, or name the models "
            "to serve in MODEL_NAME"
        ) from None


def _find_name() -> str:
    names = list_names()
    if not names:
        raise InvalidModel("there is no model in the BentoML store: run `ekiben train` first")
    if len(names) > 1:
        choices = f"choose one with MODEL_NAME={names[0]}, or several: {','.join(names)}"
        raise InvalidModel(f"the BentoML store has {', '.join(names)}: {choices}")
    return names[0]


def open_stored(stored: bentoml.Model, expected_digest: str = "") -> PackedModel:
    """Read a model of the BentoML store; raise InvalidModel unless it is as it was packed.

    With `expected_digest` its manifest must be that very one: who can write the store can change its labels too.
    """
    digest = read_digest(stored)
    if expected_digest and digest != expected_digest:
        remedy = "serve the model that it is of, or set it to this digest if you packed this model"
        raise InvalidModel(
            f"{stored.path} has the manifest digest {digest}, but MODEL_DIGEST={expected_digest}: {remedy}"
        )
    return open_model(Path(stored.path), digest)


def read_digest(stored: bentoml.Model) -> str:
    """Return the manifest digest that a model was packed with; raise InvalidModel if that was not kept."""
    digest: str | None = stored.info.labels.get(DIGEST_LABEL)
    if digest is None:
        raise InvalidModel(f"{stored.path} was packed before its manifest's digest was kept with it: {MEND}")
    return digest
