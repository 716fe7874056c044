"""The background: rows that training saw, in whose place an explained row's values are put one after another."""

from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from ekiben.contract.answers import Answers
from ekiben.contract.encoding import Encoded
from ekiben.contract.errors import InvalidModel
from ekiben.contract.schema import Schema

BACKGROUND_FILE = "background.npz"  # in a package; a model that was packed without it explains nothing


@dataclass(frozen=True)
class Background:
    """A few encoded rows, what the model answers to them, and why: see `learn_background`."""

    numbers: NDArray[np.float32]  # (rows, numbers)
    codes: NDArray[np.int32]  # (rows, categories)
    answers: Answers  # (rows, outputs)
    attributions: NDArray[np.float64]  # (outputs, rows, features), in the unit of explanations

    def __len__(self) -> int:
        return len(self.numbers)

    @property
    def rows(self) -> Encoded:
        """The rows, for an engine to answer."""
        return Encoded(self.numbers, self.codes)

    def save(self, path: Path) -> None:
        """Write the arrays; the same ones make the same file."""
        with path.open("wb") as file:
            np.savez(file, numbers=self.numbers, codes=self.codes, answers=self.answers, attributions=self.attributions)


def load_background(path: Path, schema: Schema) -> Background:
    """Read what `Background.save` wrote; raise InvalidModel if it is missing, damaged or of another schema."""
    try:
        with np.load(BytesIO(path.read_bytes()), allow_pickle=False) as arrays:
            background = Background(
                arrays["numbers"].astype(np.float32), arrays["codes"].astype(np.int32),
                arrays["answers"].astype(np.float32), arrays["attributions"].astype(np.float64),
            )  # fmt: skip
    except (OSError, ValueError, TypeError, KeyError, EOFError, BadZipFile):
        raise _damaged(path) from None
    if not _fits(background, schema):
        raise _damaged(path)
    return background


def _fits(background: Background, schema: Schema) -> bool:
    rows, outputs = len(background), len(schema.target.outputs)
    shaped = (
        rows > 0
        and background.numbers.shape == (rows, len(schema.number_names))
        and background.codes.shape == (rows, len(schema.categories))
        and background.answers.shape == (rows, outputs)
        and background.attributions.shape == (outputs, rows, len(schema.names))
    )
    tops = np.array([len(category.vocabulary) for category in schema.categories], np.int32)
    return shaped and bool((background.codes >= 0).all() and (background.codes <= tops).all())


def _damaged(path: Path) -> InvalidModel:
    return InvalidModel(f"{path} is missing or damaged: pack it again with `ekiben train`")
