"""Registers the champion's network with its bounds moved as a version that is complete: package, card, lineage."""

import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import mlflow
from mlflow.tracking import MlflowClient

from ekiben.contract.errors import UserError
from ekiben.contract.schema import load_schema
from ekiben.model.importance import IMPORTANCE_FILE, load_importance
from ekiben.model.moved_intervals import Moved
from ekiben.model.package import CARD_FILE, PACKAGE, PROVENANCE_FILE, REPORT_FILE, SCHEMA_FILE, open_model
from ekiben.model.provenance import Predicate, Provenance, Run, load_provenance
from ekiben.model.store import DIGEST_LABEL
from ekiben.model.training_scores import EVALUATION_FILE, TrainingScores, load_training_scores
from ekiben.training.adaptation.network import Move, load_network
from ekiben.training.adaptation.packing import pack_moved
from ekiben.training.adaptation.versions import MARGIN_TAG, TRAINED_TAG
from ekiben.training.card.card import describe_model
from ekiben.training.card.render import MARKDOWN_FILE, write_card
from ekiben.training.problem import ProblemConfig
from ekiben.training.registry import tracking
from ekiben.training.registry.patch_keeping import copy_patch
from ekiben.training.registry.provenance import describe_champion, describe_files
from ekiben.training.registry.publishing import publish_package
from ekiben.training.registry.run_logging import log_model
from ekiben.training.registry.version_packages import open_package
from ekiben.training.target_scale import LEAST, MOST

PARTS = ("training_rows", "validation_rows", "test_rows")  # parameters of a run
LINEAGE = ("data_digest", "schema_digest", "git_commit")  # tags of a version


@dataclass(frozen=True)
class Adapted:
    """What a new version is to be: the network of the one that was trained, and its margin."""

    name: str
    trained: str  # version
    margin: float
    page: str  # the report
    said: str  # of its intervals


def register_adapted(adapted: Adapted) -> str:
    """Pack, log and register the new version, and return it; an interrupted run leaves none."""
    trained = tracking.get_version(adapted.name, adapted.trained)
    tracking.open_store(adapted.name)
    tags = {name: trained.tags[name] for name in LINEAGE if name in trained.tags}
    tags |= {TRAINED_TAG: adapted.trained, MARGIN_TAG: repr(adapted.margin)}
    with tempfile.TemporaryDirectory() as scratch, open_package(trained) as before:
        if not (before / PROVENANCE_FILE).exists():
            raise UserError(f"version {adapted.trained} was packed before {PROVENANCE_FILE} was: train it again")
        if digest := trained.tags.get(DIGEST_LABEL):
            open_model(before, digest)  # or it could not be told from another that was put in its place
        (package := Path(scratch) / PACKAGE).mkdir()
        schema, network = load_schema(before / SCHEMA_FILE), load_network(trained)
        params = MlflowClient().get_run(str(trained.run_id)).data.params
        move = Move(adapted.margin, float(params.get(LEAST, "-inf")), float(params.get(MOST, "inf")))
        with mlflow.start_run(run_name=f"intervals of version {adapted.trained}") as run:
            tags["run_id"] = run.info.run_id
            tracking.tag_process()
            mlflow.set_tags(tags)
            mlflow.log_params({name: params[name] for name in PARTS if name in params})
            packed = pack_moved(before, package, schema, network, move, adapted.page, adapted.said)
            scores = load_training_scores(package / EVALUATION_FILE)
            mlflow.log_metrics({f"test_{name}": value for name, value in scores.scores.items()})
            write_statement(before, package, adapted, scores, [int(params.get(name, 0)) for name in PARTS])
            model_uri = log_model(schema, packed.raw_model, {name: one[:5] for name, one in packed.example.items()})
            mlflow.log_artifacts(str(package), PACKAGE)
            copy_patch(str(trained.run_id), run.info.run_id)
            for name in (REPORT_FILE, MARKDOWN_FILE, CARD_FILE):
                mlflow.log_artifact(str(package / name))  # where people look
            version = tracking.register(adapted.name, model_uri, tags)
            publish_package(package, version, run.info.run_id)
    return version


def write_statement(before: Path, package: Path, adapted: Adapted, scores: TrainingScores, parts: list[int]) -> None:
    """Write the card and the provenance: how it was trained, and that its intervals were moved since."""
    active = mlflow.active_run()
    assert active is not None
    definition = load_provenance(before / PROVENANCE_FILE).definition
    run = Run(
        id=active.info.run_id,
        began=datetime.fromtimestamp(active.info.start_time / 1000, UTC).isoformat(timespec="seconds"),
        packed=datetime.now(UTC).isoformat(timespec="seconds"),
        champion=describe_champion(adapted.name),
        moved=Moved(version=adapted.trained, margin=adapted.margin),
    )
    importance = load_importance(package / IMPORTANCE_FILE) if (package / IMPORTANCE_FILE).exists() else None
    said = ProblemConfig.model_validate(definition.problem).card
    card = describe_model(load_schema(package / SCHEMA_FILE), said, scores, definition, run, parts, importance)
    write_card(package, card)
    statement = Provenance(subject=tuple(describe_files(package)), predicate=Predicate(definition=definition, run=run))
    statement.save(package / PROVENANCE_FILE)
