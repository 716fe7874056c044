"""Trains again what a package's provenance says, and compares the weights: `ekiben train --from-provenance FILE`."""

import argparse
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

from pydantic import ValidationError

from ekiben.contract.errors import InvalidTable, UserError
from ekiben.contract.faults import describe_fault
from ekiben.model.integrity import digest_file
from ekiben.model.package import LITERT_FILE, SAVED_MODEL_FOLDER
from ekiben.model.provenance import InvalidProvenance, Provenance, load_provenance
from ekiben.training.digests import digest_rooms
from ekiben.training.home import find_home
from ekiben.training.network.interrupts import deferred_interrupts
from ekiben.training.problem import ProblemConfig
from ekiben.training.redaction import HIDDEN
from ekiben.training.registry.git import git_commit, read_patch
from ekiben.training.registry.surroundings import ROOMS, describe_environment, describe_machine
from ekiben.training.source_config import FileSource, SqlSource
from ekiben.training.versions.snapshots import is_kept

# What holds them and nothing else; a SavedModel's also tells whether its network was fitted here or read from a file.
WEIGHTS = (LITERT_FILE, f"{SAVED_MODEL_FOLDER}/variables/variables.data-00000-of-00001")
MATTERING = ("tensorflow-cpu", "tensorflow", "keras", "numpy", "pandas", "pyarrow")  # named where versions differ
OTHER_WEIGHTS = 3  # the exit code
SHORT = 12  # digits of a digest or commit that tell two apart


def repeat(options: argparse.Namespace) -> int:
    """Train as the command line names a provenance file; the exit code says whether the weights are the same."""
    chosen = ("problem", "seed", "epochs", "rows", "memory", "table", "keep_table", "from_log", "labels", "query")
    if any(getattr(options, name) for name in (*chosen, "force", "if_missing", "accept_schema_change")):
        raise UserError("--from-provenance says all that training needs: give no other option with it")
    from ekiben.training.registry.store import as_user_error

    with as_user_error():
        return 0 if train_again(options.from_provenance) else OTHER_WEIGHTS


def train_again(path: Path) -> bool:
    """Train from a provenance file alone, print what differs, and return whether the weights are the same.

    Raise InvalidProvenance or InvalidTable if what it names is not there any more.
    """
    provenance = load_provenance(path)
    if moved := provenance.run.moved:
        raise UserError(
            f"{path} is of a version whose intervals were moved after training: name the provenance.json of version "
            f"{moved.version}, which was trained"
        )
    problem = read_problem(provenance, path)
    if differences := list(find_differences(provenance)):
        print(f"note: {'; '.join(differences)}: weights may differ")
    print("loading TensorFlow …", flush=True)
    with deferred_interrupts():
        from ekiben.training.network.fit import FitOptions
        from ekiben.training.registry import tracking
        from ekiben.training.registry.version_packages import open_package
        from ekiben.training.streaming.memory import Budget
        from ekiben.training.streaming.scratch import open_room
        from ekiben.training.train import train

    given = provenance.definition.options
    fit = FitOptions(seed=given.seed, epochs=given.epochs)
    data = provenance.definition.data
    snapshot = data.snapshot if data.snapshot and is_kept(data.snapshot) else None
    rows = None if snapshot == data.digest else given.rows  # what was kept may be the rows that were taken
    changed = given.accept_schema_change
    with open_room(Budget(given.memory)) if given.memory else nullcontext() as room:
        version = train(
            problem, fit, rows, changed, kept=snapshot, keep=bool(data.snapshot), expected=data.digest, room=room
        )
    with open_package(tracking.get_version(problem.name, version)) as package:
        return compare_weights(provenance, package)


def read_problem(provenance: Provenance, path: Path) -> ProblemConfig:
    """Return the problem that a provenance file holds, its table where it is now."""
    said = provenance.definition
    try:
        problem = ProblemConfig.model_validate(said.problem)
    except ValidationError as error:
        fault = describe_fault(error)
        raise InvalidProvenance(f"{path} holds a problem that this version can't read ({fault})") from None
    if said.data.snapshot and is_kept(said.data.snapshot):
        return problem
    if said.options.log:
        raise InvalidTable(f"{path}: the table was the log {said.options.log.folder}, whose rows are not kept here")
    source = problem.source
    if isinstance(source, SqlSource) and HIDDEN in source.url:
        raise InvalidTable(f"{path} has no login of {source.url}: write it as a variable in problem.toml, and train")
    if isinstance(source, FileSource) and not source.path.exists():
        moved = source.model_copy(update={"path": find_home() / source.path.name})
        if not moved.path.exists():
            raise InvalidTable(f"{source.path} is gone: put the table back, or as {source.path.name} into this folder")
        return problem.model_copy(update={"source": moved})
    return problem


def find_differences(provenance: Provenance) -> Iterator[str]:
    """Yield in what this code, its packages and this machine differ from those that made the weights."""
    said, here = provenance.definition, describe_environment()
    source, machine = said.source, describe_machine()
    if digest_rooms(*ROOMS) != source.code:
        patch = read_patch()
        where = _name_commit(git_commit(), patch.digest if patch else None)
        yield f"the code is another ({where}, not {_name_commit(source.commit, source.patch)})"
    before = said.environment
    others = {name: (here.packages.get(name), before.packages.get(name)) for name in MATTERING}
    named = ", ".join(f"{name} {now}, not {then}" for name, (now, then) in others.items() if now != then)
    if here.lock != before.lock or named:
        yield "the lock is another" + (f" ({named})" if named else "")
    for name in ("cpu", "architecture", "python", "variables"):
        now, then = getattr(machine, name), getattr(said.machine, name)
        if now != then:
            yield f"the machine's {name} is {now or 'none'}, not {then or 'none'}"


def compare_weights(provenance: Provenance, package: Path) -> bool:
    """Print whether the packed network is the very one."""
    name = next((name for name in WEIGHTS if name in provenance.files), None)
    path = package / (name or LITERT_FILE)
    same = name is not None and path.is_file() and digest_file(path) == provenance.files[name]
    if same:
        print(f"the same weights: {name} is that of run {provenance.run.id}")
    else:
        print(f"other weights: {name or 'the network'} differs from that of run {provenance.run.id}")
    return same


def _name_commit(commit: str, patch: str | None) -> str:
    return f"commit {commit[:SHORT]}" + (f" with the patch {patch[:SHORT]}" if patch else "")
