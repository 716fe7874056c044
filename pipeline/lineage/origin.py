"""What a package's provenance names: the run, the code, the table, the champion before, and the gates."""

import hashlib
from collections.abc import Iterator

from mlflow.entities import Run
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient
from pydantic import ValidationError

from ekiben.contract.errors import UserError
from ekiben.model.provenance import Champion, Provenance, Source
from ekiben.model.store import DIGEST_LABEL
from ekiben.pipeline.lineage.artifact import read_artifact
from ekiben.pipeline.lineage.link import Findings, Link, shorten_digest
from ekiben.training.problem import ProblemConfig
from ekiben.training.registry import tracking
from ekiben.training.registry.git import UNKNOWN
from ekiben.training.registry.patch_keeping import PATCH_FILE
from ekiben.training.source_config import SqlSource
from ekiben.training.tables.read import read_table
from ekiben.training.versions.snapshots import is_kept, load_table


def verify_origin(name: str, provenance: Provenance) -> Iterator[Link]:
    """Yield the links that a statement leads to."""
    run = find_run(provenance.run.id)
    yield verify_run(provenance, run)
    yield verify_source(provenance.definition.source, provenance.run.id)
    yield verify_table(provenance)
    yield verify_champion(name, provenance.run.champion)


def find_run(run_id: str) -> Run | None:
    """Return a run of the MLflow store, None if it is gone."""
    try:
        return MlflowClient().get_run(run_id)
    except MlflowException as error:
        if error.error_code in tracking.NOT_THERE:
            return None
        raise


def verify_run(provenance: Provenance, run: Run | None) -> Link:
    """Compare the run's tags with the statement."""
    said = provenance.definition
    found = Findings.begin()
    if run is None:
        found.faults.append("MLflow does not have this run any more")
        return found.close("run", provenance.run.id)
    found.facts.append(f"{run.info.run_name}, began {provenance.run.began}")
    if moved := provenance.run.moved:
        found.facts.append(f"the network of version {moved.version}, its bounds moved apart by {moved.margin:g}")
    for tag, value in (("data_digest", said.data.digest), ("git_commit", said.source.commit)):
        there = run.data.tags.get(tag)
        found.check(there == value, "", f"its tag {tag} is {there}, but provenance.json has {value}")
    return found.close("run", run.info.run_id)


def verify_source(source: Source, run_id: str) -> Link:
    """Say which code it was, and check the patch if there is one."""
    found = Findings.begin(f"Ekiben {source.version}")
    if source.commit == UNKNOWN:
        found.open.append("trained outside git: only the digest of Ekiben's modules is known")
    if source.patch and not source.patch_kept:
        found.faults.append("files differed from the commit by a patch that was not kept")
    if source.patch and source.patch_kept:
        content = read_artifact(run_id, PATCH_FILE)
        digest = None if content is None else hashlib.sha256(content).hexdigest()
        fault = f"{PATCH_FILE} is gone from the run" if digest is None else f"{PATCH_FILE} of the run was altered"
        found.check(digest == source.patch, f"with {PATCH_FILE} {shorten_digest(source.patch)}", fault)
    return found.close("source", f"commit {source.commit[:12]}{'+' * source.commit.endswith('+')}")


def verify_table(provenance: Provenance) -> Link:
    """Read the table again, as far as that is possible, and compare its digest."""
    data, options = provenance.definition.data, provenance.definition.options
    found = Findings.begin(f"{data.rows:,} rows of {data.source}")
    if data.first:
        found.facts.append(f"{data.first} to {data.last}")
    kept = data.snapshot if data.snapshot and is_kept(data.snapshot) else None
    try:
        problem = ProblemConfig.model_validate(provenance.definition.problem)
        if not kept and (options.log or isinstance(problem.source, SqlSource)):
            found.open.append("its rows were not kept: a log or a database is not read again")
            return found.close("table", shorten_digest(data.digest))
        table = load_table(problem, kept) if kept else read_table(problem, lambda _: None)
        digest = (table.thin(options.rows) if options.rows and kept != data.digest else table).digest
        fault = f"{data.source} holds other rows now: their digest is {shorten_digest(digest)}"
        found.check(digest == data.digest, "kept, and read again" if kept else "read again", fault)
    except ValidationError:
        found.faults.append("the problem in provenance.json can't be read by this version")
    except UserError as error:
        (found.faults if kept else found.open).append(f"its rows can't be read again: {error}")
    return found.close("table", shorten_digest(data.digest))


def verify_champion(name: str, champion: Champion | None) -> Link:
    """Compare the digest of the version that answered before with the registry's."""
    if champion is None:
        return Link("champion before", "none", ("this was the first",))
    found = Findings.begin()
    try:
        there = tracking.get_version(name, champion.version).tags.get(DIGEST_LABEL)
    except MlflowException:
        found.open.append("the registry does not have it any more")
    else:
        same, wanted = there == champion.manifest_digest, shorten_digest(champion.manifest_digest)
        fault = f"the registry has the manifest {shorten_digest(there)}, not {wanted}"
        found.check(same, f"manifest {wanted}", fault)
    return found.close("champion before", f"version {champion.version}")
