"""Where records and what steps made are kept: written so that a kill at any moment leaves nothing that counts.

A step writes into a folder with a passing name. When it is done the folder gets its key for a name, and only then the
record is written beside and renamed. Who can write these files can change both of a pair: the digests find damage and
mistakes, not an attacker (signing does: docs/pipeline.md).
"""

import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pydantic import ValidationError

from ekiben.contract.errors import UserError
from ekiben.model.integrity import digest_file
from ekiben.pipeline.records.record import StepRecord
from ekiben.training.home import DATA, find_data, make_folder
from ekiben.training.whole_file import write_whole

FORGOTTEN_S = 30 * 86_400  # an unfinished folder of a month ago belongs to nobody: a shadow may take days


class DamagedRecord(UserError):
    """A record, or what its step made, is not as it was written."""


class NoSuchRecord(UserError):
    """There is no record of that key."""


def find_folder(name: str = "") -> Path:
    """Return a folder of the pipeline's state, or would be."""
    return find_data() / "pipeline" / name


def find_work(key: str) -> Path:
    """Return the folder of what a step made."""
    return find_folder("work") / key


def read_record(key: str) -> StepRecord:
    """Return the record of a key; raise NoSuchRecord if there is none, DamagedRecord if it is not as it was written."""
    path = find_folder("records") / f"{Path(key).name}.json"
    try:
        record = StepRecord.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        raise NoSuchRecord(f"there is no record {key[:12]} in {path.parent}: run its step again") from None
    except (OSError, ValidationError):
        raise DamagedRecord(f"the record {path} can't be read") from None
    if record.digest != record.count_digest() or not key == record.key == record.count_key():
        raise DamagedRecord(f"the record {path} is not as it was written")
    return record


def check_outputs(record: StepRecord) -> None:
    """Raise DamagedRecord if a file that a step made is gone or altered; what is no file is its step's to check."""
    folder = find_work(record.key)
    for name, digest in record.outputs.items():
        path = folder / name
        if "/" not in name and "." not in name:  # such as a table, which is kept elsewhere
            continue
        if not path.is_file():
            raise DamagedRecord(f"{path}, which `{record.step}` made, is gone")
        if digest_file(path) != digest:
            raise DamagedRecord(f"{path} is not what `{record.step}` made")


def keep_record(record: StepRecord, made: Path | None = None) -> StepRecord:
    """Keep a record, sealed, after moving what its step `made` to where it stays."""
    if made is not None:
        _replace_folder(made, find_work(record.key))
    sealed = record.seal()
    write_whole(make_state("records") / f"{record.key}.json", f"{sealed.model_dump_json(indent=1)}\n".encode())
    return sealed


def digest_folder(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of every file in a folder, by its path in it."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): digest_file(path) for path in files}


@contextmanager
def unfinished_folder() -> Iterator[Path]:
    """Yield a new folder to make something in; what is still there of it afterwards is removed."""
    work = make_state("work")
    _forget(work)
    folder = work / f".unfinished-{uuid.uuid4().hex}"
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def list_records() -> Iterator[StepRecord]:
    """Yield every record that is as it was written."""
    for path in find_folder("records").glob("*.json"):
        with suppress(UserError):
            yield read_record(path.stem)


def make_state(name: str) -> Path:
    """Return a folder of the pipeline's state, made if missing."""
    make_folder(DATA)
    folder = find_folder(name)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _replace_folder(made: Path, kept: Path) -> None:
    """Let a folder take another's place; an empty one is not kept."""
    before = kept.with_name(f".unfinished-{uuid.uuid4().hex}")
    with suppress(FileNotFoundError):
        kept.rename(before)  # what was altered, or is made again by force
    if any(made.iterdir()):
        made.rename(kept)
    shutil.rmtree(before, ignore_errors=True)


def _forget(work: Path) -> None:
    for folder in work.glob(".unfinished-*"):
        with suppress(OSError):
            if time.time() - folder.stat().st_mtime > FORGOTTEN_S:
                shutil.rmtree(folder, ignore_errors=True)
