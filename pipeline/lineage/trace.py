"""The whole chain of whatever is named: an answer's id, a version, a run, or an image."""

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from mlflow.entities.model_registry import ModelVersion
from mlflow.tracking import MlflowClient

from ekiben.contract.errors import UserError
from ekiben.contract.validation import shorten
from ekiben.deploy.image.statements.inspect import ImageUnknown, list_images
from ekiben.deploy.image.statements.labels import MANIFEST_LABEL
from ekiben.model.package import VERSION
from ekiben.model.store import DIGEST_LABEL
from ekiben.pipeline.lineage.answer import AnswerUnknown, choose_logs, count_answers, find_answer
from ekiben.pipeline.lineage.image import find_version, verify_image
from ekiben.pipeline.lineage.link import Findings, Link, shorten_digest
from ekiben.pipeline.lineage.origin import find_run
from ekiben.pipeline.lineage.version import verify_version
from ekiben.training.registry import tracking

Kind = Literal["answer", "version", "run", "image"]
OURS = re.compile(r"[0-9a-f]{24}(/\d+)?")  # an id that the service made
HINT = "an answer's id of this form needs --as answer"
RUN = re.compile(r"[0-9a-f]{32}")


class NothingNamed(UserError):
    """Neither the registry, nor the log, nor an engine knows what is named."""


@dataclass(frozen=True)
class Asked:
    """What is to be traced: of which model, and where its answers are logged."""

    what: str
    model: str
    kind: Kind | None = None
    log: str | None = None
    key: Path | None = None  # a public one, by which signatures are verified


def trace(asked: Asked) -> Link:
    """Return the chain, verified; raise UserError in one sentence if nothing is called so."""
    kind = asked.kind or guess_kind(asked.what)
    if kind == "version":
        return trace_version(asked)
    if kind == "run":
        return trace_run(asked)
    if kind == "answer":
        return trace_answer(asked)
    if kind == "image":
        return verify_image(asked.what, asked.key)
    return trace_other(asked)


def guess_kind(what: str) -> Kind | None:
    """Return what something is by its form alone; None: a caller's own id, or an image."""
    if re.fullmatch(VERSION, what):
        return "version"
    if RUN.fullmatch(what):
        return "run"
    return "answer" if OURS.fullmatch(what) else None


def trace_other(asked: Asked) -> Link:
    """Try an image first, then an id that a caller gave."""
    try:
        return verify_image(asked.what, asked.key)
    except ImageUnknown as no_image:
        try:
            return trace_answer(asked)
        except AnswerUnknown as no_answer:
            raise NothingNamed(f"{shorten(asked.what)} is nothing known here: {no_image}; {no_answer}") from None


def get_version(name: str, version: str) -> ModelVersion:
    """Return a registered version; raise NothingNamed if there is none."""
    registered = find_version(name, version)
    if registered is None:
        known = ", ".join(str(one.version) for one in tracking.find_versions(name)) or "none"
        raise NothingNamed(f"the registry has no version {version} of {name}; it has: {known}; {HINT}")
    return registered


def trace_version(asked: Asked) -> Link:
    """Return a version, and above it what it answered and which images hold it."""
    registered = get_version(asked.model, asked.what)
    link = verify_version(registered, asked.key)
    digest = registered.tags.get(DIGEST_LABEL)
    images = list_images(f"{MANIFEST_LABEL}={digest}") if digest else []
    answered = count_answers(choose_logs(asked.log, asked.model), asked.what)
    above = [
        Link("answers", f"{answered:,} rows in the log"),
        *(Link("image", image, ("by its label",)) for image in images),
    ]
    return replace(link, links=(*link.links, *above))


def trace_run(asked: Asked) -> Link:
    """Return a run, and the version that was registered from it."""
    run = find_run(asked.what)
    if run is None:
        raise NothingNamed(f"MLflow has no run {asked.what}: `ekiben compare` lists runs; {HINT}")
    versions = MlflowClient().search_model_versions(f"run_id = '{asked.what}'")
    found = Findings.begin(f"{run.info.run_name}, {run.info.status.lower()}")
    if not versions:
        found.open.append("no version was registered from it")
    return found.close("run", asked.what, [verify_version(version, asked.key) for version in versions])


def trace_answer(asked: Asked) -> Link:
    """Return an answer's row in the log, and the version that gave it."""
    answer = find_answer(choose_logs(asked.log, asked.model), asked.what)
    found = Findings.begin(f"{answer.time} in {answer.part}")
    if answer.rows > 1:
        found.facts.append(f"{answer.rows} rows of one request")
    registered = find_version(asked.model, answer.version)
    if registered is None:
        found.faults.append(f"the registry has no version {answer.version} of {asked.model}, which answered it")
        return found.close("answer", asked.what)
    schema = registered.tags.get("schema_digest")
    if answer.schema and schema:
        fault = f"its row has the schema {shorten_digest(answer.schema)}, the version {shorten_digest(schema)}"
        found.check(answer.schema == schema, f"schema {shorten_digest(schema)}", fault)
    return found.close("answer", asked.what, [verify_version(registered, asked.key)])
