"""Where a project's state lies: its problem file and its data, in the working folder or in EKIBEN_HOME."""

import os
from pathlib import Path

from ekiben.contract.errors import UserError
from ekiben.model.home import DATA as DATA
from ekiben.model.home import PROJECT_VARIABLE as VARIABLE
from ekiben.model.home import find_project

ELSEWHERE = f"run in a folder that you can write to, or set {VARIABLE} to one"


class HomeUnwritable(UserError):
    """The folder for the state can't be made or written to."""


def find_home() -> Path:
    """Return the folder of the state, as it was named."""
    return find_project()


def make_home() -> Path:
    """Return the folder of the state, made if it is missing; raise HomeUnwritable if that is impossible."""
    home = find_home()
    try:
        home.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise HomeUnwritable(f"{VARIABLE}={home} can't be made ({error.strerror}): {ELSEWHERE}") from None
    return home


def find_problem_file() -> Path:
    """Return where the problem file of this project is, or would be."""
    return find_home() / "problem.toml"


def find_data() -> Path:
    """Return where MLflow's store and the reports are, or would be."""
    return find_home().absolute() / DATA


def make_folder(name: str) -> Path:
    """Return a folder of the state, made if missing; raise HomeUnwritable if it can't be made or written to."""
    folder = make_home() / name
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise HomeUnwritable(f"{folder.absolute()} can't be made ({error.strerror}): {ELSEWHERE}") from None
    if not os.access(folder, os.W_OK):
        raise HomeUnwritable(f"{folder.absolute()} can't be written to: {ELSEWHERE}")
    return folder
