"""What the machine refuses, as one sentence: a full disk, a folder that may not be written, too little memory."""

import errno
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ekiben.model.home import StoreUnusable, find_home
from ekiben.training.home import find_data, find_problem_file

REFUSALS = {
    *(errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO, errno.ESTALE),
    *(errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN, errno.ENAMETOOLONG, errno.ELOOP),
}
ABSENT = {errno.ENOENT, errno.ENOTDIR, errno.EISDIR}  # the machine's only where the user chose the path
TOLD = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EIO)
FULL = {errno.ENOSPC, errno.EDQUOT}
PACKAGE = Path(__file__).resolve().parents[1]
LITTLE_BYTES = 16 * 2**20  # a disk with less left counts as full


def describe_refusal(error: Exception) -> str | None:
    """Return the sentence for an error that is the machine's, None for any other."""
    if isinstance(error, MemoryError):
        return "there is not enough memory: use a table with fewer rows or columns, or a machine with more"
    if not isinstance(error, OSError) or error.errno not in REFUSALS | ABSENT:
        return None
    if "temporary directory" in str(error):  # tempfile's own
        return "no folder for temporary files can be written to: set TMPDIR to one that can"
    reason = error.strerror or str(error)
    place = error.filename2 or error.filename  # of a copy the second is what could not be written
    if error.errno in ABSENT and not (place and is_chosen(os.fsdecode(place))):
        return None
    if place:
        return f"{os.fsdecode(place)}: {reason}"
    if error.errno in FULL:
        places = find_full_disks()
        return f"{reason}: make room {f'on the disk of {places[0]}' if places else 'on the disk'}"
    return reason[0].upper() + reason[1:]


def is_chosen(place: str) -> bool:
    """Return whether a path or URL is the user's: of the command line or in a folder that we write to.

    What is missing elsewhere, such as in this package, is a fault of ours.
    """
    if "://" in place:
        return True
    given = [argument.rpartition("=")[2] for argument in sys.argv[1:]]
    chosen = [Path(text).absolute() for text in given if text] + [find_problem_file().absolute(), *list_written()]
    path = Path(place).absolute()
    if PACKAGE in path.resolve().parents:  # which may itself lie in the folder for temporary files
        chosen.remove(Path(tempfile.gettempdir()))
    return any(path == one or one in path.parents or path in one.parents for one in chosen)


def find_full_disks() -> list[str]:
    """Return the folders we write to whose disks have next to nothing left."""
    there = filter(Path.exists, list_written())
    return [str(folder) for folder in there if shutil.disk_usage(folder).free < LITTLE_BYTES]


def list_written() -> list[Path]:
    """Return the folders we write to."""
    folders = [find_data(), Path(tempfile.gettempdir())]
    with suppress(StoreUnusable):
        folders.append(find_home().absolute())
    return folders


def explain(error: OSError) -> str:
    """Return why a file operation failed; of many that `shutil` collects, the first."""
    if isinstance(error, shutil.Error) and isinstance(error.args[0], list):
        return str(error.args[0][0][2]).partition("] ")[2].partition(": ")[0]
    return error.strerror or str(error)


@contextmanager
def as_os_error(*errors: type[Exception]) -> Iterator[None]:
    """Turn errors of a library that tells the system's only in words, such as TensorFlow, into OSError."""
    try:
        yield
    except errors as error:
        number = next((number for number in TOLD if os.strerror(number) in str(error)), None)
        if number is None:
            raise
        raise OSError(number, os.strerror(number)) from None


def is_folder_gone() -> bool:
    """Return whether the folder that this process works in was deleted."""
    try:
        os.getcwd()
    except FileNotFoundError:
        return True
    return False
