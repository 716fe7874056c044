"""Where the BentoML store lies, for code that does without BentoML."""

import os
from pathlib import Path

from ekiben.contract.errors import InvalidModel


class StoreUnusable(InvalidModel):
    """The folder of the BentoML store can't be made or used."""


def find_home() -> Path:
    """Return the folder of the BentoML store; raise StoreUnusable if nothing says where it is."""
    home = Path(os.environ.get("BENTOML_HOME") or "~/bentoml")
    try:
        return home.expanduser()
    except RuntimeError:  # a user that no system file knows, without HOME
        raise StoreUnusable("there is no home folder for the BentoML store: set BENTOML_HOME to a folder") from None
