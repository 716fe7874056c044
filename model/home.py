"""Where the BentoML store lies, for code that does without BentoML, and the log of what was answered."""

import os
from pathlib import Path

from ekiben.contract.errors import InvalidModel

PROJECT_VARIABLE = "EKIBEN_HOME"
DATA, LOG = "data", "log"


class StoreUnusable(InvalidModel):
    """The folder of the BentoML store can't be made or used."""


def find_home() -> Path:
    """Return the folder of the BentoML store; raise StoreUnusable if nothing says where it is."""
    home = Path(os.environ.get("BENTOML_HOME") or "~/bentoml")
    try:
        return home.expanduser()
    except RuntimeError:  # a user that no system file knows, without HOME
        raise StoreUnusable("there is no home folder for the BentoML store: set BENTOML_HOME to a folder") from None


def find_project() -> Path:
    """Return the folder of a project's state, as it was named: EKIBEN_HOME, or the working folder."""
    return Path(os.environ.get(PROJECT_VARIABLE) or "")


def find_log() -> Path:
    """Return the folder of a project's logged rows and labels, unless LOG_FOLDER names another."""
    return find_project().absolute() / DATA / LOG
