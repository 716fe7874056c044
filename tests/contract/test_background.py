"""The background file: the rows come back as they were, and what is not one is rejected in one sentence."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ekiben.contract.errors import InvalidModel
from ekiben.contract.explanation.background import BACKGROUND_FILE, Background, load_background
from ekiben.contract.explanation.background_learning import learn_background
from tests.contract.explained_models import EVERY_KIND, make_network, make_rows

Arrays = dict[str, Any]


@pytest.fixture(scope="module")
def background() -> Background:
    return learn_background(EVERY_KIND, make_rows(EVERY_KIND, 100), make_network(EVERY_KIND))


def test_it_comes_back_to_the_bit(background: Background, tmp_path: Path) -> None:
    background.save(tmp_path / BACKGROUND_FILE)
    loaded = load_background(tmp_path / BACKGROUND_FILE, EVERY_KIND)
    for name in ("numbers", "codes", "answers", "attributions"):
        one, other = getattr(background, name), getattr(loaded, name)
        assert (one.dtype, one.shape, one.tobytes()) == (other.dtype, other.shape, other.tobytes())
    loaded.save(tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == (tmp_path / BACKGROUND_FILE).read_bytes()


@pytest.mark.parametrize(
    "change",
    [
        lambda arrays: arrays.pop("codes"),
        lambda arrays: arrays.update(numbers=arrays["numbers"][:, 1:]),
        lambda arrays: arrays.update(codes=arrays["codes"] + 9),
        lambda arrays: arrays.update(codes=arrays["codes"] - 9),
        lambda arrays: arrays.update(answers=arrays["answers"][1:]),
        lambda arrays: arrays.update(attributions=arrays["attributions"][:, :, 1:]),
        lambda arrays: arrays.update(numbers=np.array([object()])),
        lambda arrays: arrays.update({name: array[:0] for name, array in arrays.items()}),
    ],
    ids=["absent", "narrow", "beyond", "negative", "few answers", "few features", "objects", "empty"],
)
def test_another_schemas_or_a_strange_file_is_rejected(
    change: Callable[[Arrays], Any], background: Background, tmp_path: Path
) -> None:
    arrays: Arrays = vars(background).copy()
    change(arrays)
    np.savez(tmp_path / BACKGROUND_FILE, **arrays)
    with pytest.raises(InvalidModel, match=r"background\.npz is missing or damaged: pack it again"):
        load_background(tmp_path / BACKGROUND_FILE, EVERY_KIND)


@pytest.mark.parametrize("content", [None, b"", b"PK\x03\x04", b"\x93NUMPY", b"{}"])
def test_what_is_no_archive_is_rejected(content: bytes | None, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / BACKGROUND_FILE).write_bytes(content)
    with pytest.raises(InvalidModel, match="is missing or damaged"):
        load_background(tmp_path / BACKGROUND_FILE, EVERY_KIND)
