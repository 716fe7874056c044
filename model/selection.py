"""Which models of the BentoML store are served: by their names, and by patterns that names fit."""

from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase

import bentoml

from ekiben.contract.errors import InvalidModel
from ekiben.contract.validation import show
from ekiben.model.package import PackedModel
from ekiben.model.store import find_model, list_names, open_stored

PATTERN_MARKS = frozenset("*?[")


def find_models(names: str) -> list[bentoml.Model]:
    """Return the newest version of each model that is named, separated by commas, in that order.

    A shell pattern such as `de_*` stands for all names that fit it, in alphabetical order; no name at all for the only
    model of the store. Raises InvalidModel if there is none of a name.
    """
    return [find_model(name) for name in dict.fromkeys(_expand(names))]


def open_models(names: str, digests: str = "") -> list[PackedModel]:
    """Read the models that are named; raise InvalidModel unless each is as it was packed.

    With `digests`, separated by commas in the same order, their manifests must be those very ones.
    """
    stored = find_models(names)
    expected = [digest.strip() for digest in digests.split(",")] if digests else [""] * len(stored)
    if len(expected) != len(stored):
        found = ", ".join(str(model.tag.name) for model in stored)
        raise InvalidModel(
            f"MODEL_DIGEST holds {len(expected)} digests for {len(stored)} models ({found}): give one of each, "
            "separated by commas, in this order"
        )
    return [open_stored(model, digest) for model, digest in zip(stored, expected, strict=True)]


def join_names(models: Sequence[bentoml.Model]) -> str:
    """Return the names of models as MODEL_NAME takes them."""
    return ",".join(str(model.tag.name) for model in models)


def _expand(names: str) -> Iterator[str]:
    for name in (one.strip() for one in names.split(",")):
        if not name and names:
            raise InvalidModel(f"MODEL_NAME={show(names)} holds an empty name: separate names by single commas")
        if not PATTERN_MARKS & set(name):
            yield name
            continue
        fitting = [one for one in list_names() if fnmatchcase(one, name.lower())]  # the store keeps names in lower case
        if not fitting:
            raise InvalidModel(f"no model in the BentoML store fits MODEL_NAME={show(name)}: it has {_list_all()}")
        yield from fitting


def _list_all() -> str:
    return ", ".join(list_names()) or "none"
