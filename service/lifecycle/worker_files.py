"""The files in which the workers of a service tell each other something: KIND_NUMBER.json in the folder they share.

A kind may have a model's name in it, and so begin as another one's: `canary_de` and `canary_de_2`. What follows the
kind is therefore a number and nothing else.
"""

import glob
import re
from pathlib import Path


def list_files(folder: Path | None, kind: str, digits: str = "+") -> list[tuple[int, Path]]:
    """Return the files of a kind with their numbers, by name; none if there is no folder.

    `digits`: how many the number has, as a regular expression has it.
    """
    name = re.compile(rf"{re.escape(kind)}_([0-9]{digits})\.json")
    paths = sorted(folder.glob(f"{glob.escape(kind)}_*.json")) if folder else []
    return [(int(found[1]), path) for path in paths if (found := name.fullmatch(path.name))]
