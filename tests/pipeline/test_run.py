"""A run from a table to the champion, gate by gate: what it leaves, what it does again, and what stops it."""

import dataclasses
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import bentoml
import pytest
from mlflow.tracking import MlflowClient

from ekiben.model.golden import MAX_GOLDEN_DIFFERENCE
from ekiben.model.package import CHAMPION, PackedModel
from ekiben.model.store import find_model
from ekiben.pipeline import engine
from ekiben.pipeline import lock as locking
from ekiben.pipeline.gates.image_replay import replay
from ekiben.pipeline.records.record import StepRecord
from ekiben.pipeline.steps import promote
from ekiben.training.registry import tracking
from tests.conftest import Server, wait_until
from tests.pipeline.project import NAME, STEPS, Project, make_rows, using

pytestmark = pytest.mark.slow


def test_the_first_run_promotes_its_version(project: Project) -> None:
    (run,) = project.runs()
    assert (run.outcome, run.version, run.reason) == ("promoted", "1", "manual")
    assert [one.step for one in run.steps] == list(STEPS)
    assert not any(one.reused for one in run.steps)
    assert project.champion() == "1"
    done = project.call("runs")
    assert done.last.endswith("promoted at promote, version 1: version 1 is the champion of shop, its first")


def test_a_record_says_what_its_step_was_made_of(project: Project) -> None:
    record = StepRecord.model_validate_json(project.record("check").read_bytes())
    assert [verdict.gate for verdict in record.verdicts] == [
        "schema skew", "readable", "volume", "freshness", "value skew", "trainable",
    ]  # fmt: skip
    trained = StepRecord.model_validate_json(project.record("train").read_bytes())
    assert trained.after == record.key
    assert set(trained.inputs) == {"ingest"}
    assert set(trained.outputs) == {"network.keras", "lineage.json", "definition.json", "scale.txt"}
    assert trained.options == {"epochs": 2}
    assert trained.key == trained.count_key()


def test_a_run_of_which_nothing_is_new_does_nothing(project: Project) -> None:
    done = project.run()
    assert (done.code, done.last) == (0, "version 1 of shop is the champion already: nothing has changed since")
    reused = project.reused()
    assert [step for step in STEPS if reused[step]] == ["ingest", "train", "evaluate", "pack", "image"]
    assert project.runs()[0].outcome == "nothing new"


def test_what_a_gate_asks_for_is_no_reason_to_train_again(project: Project) -> None:
    project.add("[pipeline]\nmargin = 0.1\n")
    assert project.run().code == 0
    assert project.reused()["train"]


@pytest.mark.parametrize(
    ("table", "gate"),
    [
        (make_rows(600, 1).replace("size,colour", "size,shade", 1), "schema skew: shop.csv contradicts"),
        (make_rows(600, 1).replace("\n", "\nlarge,red,1\n", 1), "schema skew: shop.csv contradicts"),
        (make_rows(20, 1), "trainable: the table has 20 rows"),
    ],
)
def test_a_bad_table_ends_at_its_gate_with_the_champion_as_it_was(table: str, gate: str, project: Project) -> None:
    project.write(table)
    done = project.run()
    assert done.code == 3
    assert done.last.startswith(f"nothing is promoted: {gate}")
    assert (project.champion(), project.runs()[0].outcome) == ("1", "stopped")
    assert [one.step for one in project.runs()[0].steps] == ["ingest", "check"]


def test_a_first_table_that_cannot_be_read_ends_there(new_project: Project) -> None:
    new_project.write(make_rows(600, 1).replace("\n", "\nlarge,red,1\n", 1))
    done = new_project.run()
    assert done.code == 3
    assert done.last.startswith("nothing is promoted: readable: `size`: can't be read as a number in 1 of 601 rows")
    assert new_project.champion() == ""


def test_a_worse_network_ends_at_the_champion(project: Project) -> None:
    project.write(make_rows(600, 1))
    done = project.call("run", "--epochs", "1", "--rows", "100")
    assert done.code == 3
    assert done.last.startswith("nothing is promoted: champion: its mean loss on ")
    assert project.champion() == "1"


def test_a_network_that_misbehaves_is_stopped(project: Project) -> None:
    project.add('[[behaviour]]\ntest = "invariance"\nfeature = "size"\ntolerance = 0.01\n')
    done = project.run()
    assert done.code == 3
    assert done.last.startswith("nothing is promoted: behaviour: invariance of size: with `size` dealt out anew")


def test_steps_of_their_own_find_what_they_need_when_the_source_has_vanished(new_project: Project) -> None:
    said = new_project.step("ingest", "", "--event", '{"reason": "drift"}')
    os.remove(new_project.folder / "shop.csv")
    for name in STEPS[1:]:
        said = new_project.step(name, said["key"])
        assert said["verdict"] == "go"
    assert said["sentence"] == "version 1 is the champion of shop, its first"
    (run,) = new_project.runs()
    assert (run.outcome, run.reason, len(run.steps)) == ("promoted", "drift", len(STEPS))


def test_a_step_needs_the_one_before_it(project: Project) -> None:
    ingested = project.runs()[0].steps[0].key
    for after, said in ((ingested, "that is the key of `ingest`"), ("", "none is given"), ("0" * 64, "no record 0000")):
        done = project.call("step", "train", *(["--after", after] if after else []))
        assert (done.code, done.out) == (1, "")
        assert said in done.err.splitlines()[-1]


def test_a_changed_problem_file_is_no_longer_that_of_the_run(project: Project) -> None:
    checked = project.runs()[0].steps[1].key
    path = project.folder / "problem.toml"
    path.write_text(path.read_text().replace('slices = ["colour"]', ""))
    done = project.call("step", "train", "--after", checked)
    assert (done.code, done.out) == (1, "")
    assert "the problem file was changed since `ingest`" in done.err.splitlines()[-1]


def test_a_source_that_is_not_there_is_one_sentence(new_project: Project) -> None:
    os.remove(new_project.folder / "shop.csv")
    done = new_project.run()
    assert done.code == 1
    assert done.err.splitlines()[-1].startswith("error: ")
    assert new_project.runs()[0].outcome == "failed"


@pytest.mark.parametrize(
    ("step", "name", "said"),
    [
        ("evaluate", "answers.npy", "answers.npy is not what `evaluate` made: `evaluate` is made again"),
        ("evaluate", "", "is not as it was written: `evaluate` is made again"),
        ("ingest", "table", "`ingest` is made again"),
    ],
)
def test_what_was_altered_is_said_and_made_again(step: str, name: str, said: str, project: Project) -> None:
    record = project.record(step)
    if name == "table":
        files = (path for path in (project.folder / "data" / "tables").rglob("*") if path.is_file())
        altered = max(files, key=lambda path: path.stat().st_size)
    else:
        altered = project.folder / "data" / "pipeline" / "work" / record.stem / name if name else record
    if name:
        altered.write_bytes(altered.read_bytes()[:-9] + b"otherwise")
    else:
        altered.write_text(record.read_text().replace('"sentence": "rmse', '"sentence": "better rmse'))
    done = project.run()
    assert done.code == 0, done.out + done.err
    assert said in done.out
    assert not project.reused()[step]
    assert project.reused()["train"]


def test_a_step_made_again_on_other_packages_says_so(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locking, "STALE_S", -1.0)  # each step begins a run that nobody goes on with
    monkeypatch.setattr(engine, "digest_lock", lambda: "f" * 64)
    said = project.step("ingest")
    assert said["verdict"] == "go"
    done = project.call("step", "ingest", "--force")
    assert "made again" not in done.err  # on those same packages
    monkeypatch.setattr(engine, "digest_lock", lambda: "e" * 64)
    done = project.call("step", "ingest")
    assert "`ingest` is made again on other packages: the lock of its packages is eeeeeeeeeeee" in done.err


def test_a_step_kept_from_another_machine_says_so(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "describe_machine", lambda: "an abacus")
    done = project.call("step", "ingest")
    assert "`ingest` was made on another machine" in done.err


def test_a_killed_run_goes_on_where_it_was(new_project: Project) -> None:
    with using(new_project.folder) as environment:
        process = subprocess.Popen(
            [sys.executable, "-m", "ekiben.commands", "run", "--epochs", "2"],
            env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            wait_until(
                lambda: any(one.step == "train" for run in new_project.runs() for one in run.steps), within_s=300
            )
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()
        done = new_project.run()
    assert (done.code, done.last) == (0, "version 1 is the champion of shop, its first")
    reused = new_project.reused()
    assert [reused[step] for step in ("ingest", "check", "train")] == [True, True, True]
    assert sorted(run.outcome for run in new_project.runs()) == ["promoted", "unfinished"]
    assert project_is_tidy(new_project)


def project_is_tidy(project: Project) -> bool:
    """Whether nothing unfinished counts: every record's outputs are there."""
    keys = {path.stem for path in (project.folder / "data/pipeline/records").glob("*.json")}
    return {path.name for path in (project.folder / "data/pipeline/work").glob("[0-9a-f]*")} <= keys


def test_secrets_are_not_recorded(new_project: Project) -> None:
    new_project.add('[pipeline]\nservices = ["http://me:hidden-word@127.0.0.1:1"]\n')
    event = {"reason": "drift", "evidence": {"url": "http://me:hidden-word@there"}}
    said = new_project.step("ingest", "", "--event", json.dumps(event))
    new_project.step("check", said["key"])
    for path in (new_project.folder / "data" / "pipeline").rglob("*.json"):
        assert "hidden-word" not in path.read_text()


def test_what_somebody_has_rolled_back_is_not_promoted_again(project: Project) -> None:
    project.add("[pipeline]\nmargin = 9.0\n")
    project.write(make_rows(620, 5))
    done = project.run("--event", '{"reason": "new rows"}')
    assert (done.code, done.last) == (0, "version 2 is the champion of shop, in place of version 1")
    assert (project.runs()[0].reason, project.champion()) == ("new rows", "2")
    assert project.call("rollback").code == 0
    done = project.run()
    assert (done.code, project.champion()) == (3, "1")
    assert done.last.startswith(
        "nothing is promoted: promotion: version 2 was the champion before version 1 was chosen"
    )
    assert project.reused()["train"]


def test_what_somebody_has_promoted_by_hand_and_rolled_back_is_not_promoted_again(project: Project) -> None:
    project.add("[pipeline]\nmargin = 9.0\n")
    project.write(make_rows(620, 5))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(promote, "find_champion_version", lambda name: "0")  # somebody else's, meanwhile
        assert project.run().code == 3
    for command in (("promote", "2"), ("rollback",)):
        assert project.call(*command).code == 0
    done = project.run()
    assert (done.code, project.champion()) == (3, "1")
    assert done.last.startswith("nothing is promoted: promotion: version 2 was the champion before version 1")


@pytest.mark.parametrize("killed_in", ["set_alias", "set_model_version_tag"])
def test_there_is_no_champion_without_its_tag(
    killed_in: str, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracking.connect()
    MlflowClient().delete_model_version_tag(NAME, "1", tracking.PROMOTED_TAG)
    MlflowClient().delete_registered_model_alias(NAME, CHAMPION)

    def die(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(*((tracking, "set_alias") if killed_in == "set_alias" else (MlflowClient, killed_in)), die)
    with pytest.raises(KeyboardInterrupt):
        tracking.set_champion(NAME, "1")
    assert project.champion() == ""
    monkeypatch.undo()
    tracking.set_champion(NAME, "1")
    assert project.champion() == "1"
    assert tracking.get_version(NAME, "1").tags[tracking.PROMOTED_TAG]


def test_a_store_that_lost_the_champion_is_mended_by_the_next_run(project: Project) -> None:
    assert project.run().code == 0
    assert project.run().code == 0
    assert project.reused()["promote"]
    bentoml.models.delete(f"{NAME}:1")
    done = project.run()
    assert "the BentoML store has lost version 1, or another is newer there: `promote` is made again" in done.out
    assert done.code == 0
    assert find_model(NAME).info.labels["version"] == "1"


def test_the_budget_refuses_before_training(project: Project) -> None:
    project.add('[pipeline]\ncooldown = "6h"\n')
    project.write(make_rows(650, 3))
    done = project.run()
    assert done.code == 3
    assert done.last.startswith(f"nothing is promoted: budget: {NAME} was trained ")
    assert "within cooldown = 6h: try again in 5 h" in done.last
    assert project.champion() == "1"
    assert project.run().code == 3  # the one that was refused does not count, and neither is it trained


def test_the_golden_answers_are_asked_of_a_running_service(server: Server, model: PackedModel) -> None:
    assert replay(server.url, model) <= MAX_GOLDEN_DIFFERENCE


def test_other_golden_answers_are_noticed(server: Server, model: PackedModel, tmp_path: Path) -> None:
    golden = json.loads((model.path / "golden.json").read_text())
    golden["answers"][3][0] += 0.01
    (tmp_path / "golden.json").write_text(json.dumps(golden))
    assert replay(server.url, dataclasses.replace(model, path=tmp_path)) == pytest.approx(0.01, rel=0.1)


@pytest.mark.parametrize(
    ("event", "said"),
    [
        ("[1]", "--event is not a JSON object"),
        ('{"a": ' + "[" * 60_000 + "]" * 60_000 + "}", "--event is not a JSON object"),
        ('{"reason": "\\u001b[31m"}', "not an event: `reason`: input should be "),
        ('{"reason": "drift", "evidence": {"psi": NaN}}', "not an event: "),
        ('{"model": "bikes", "reason": "drift"}', "--event is of the model `bikes`, and the problem file of `shop`"),
    ],
)
def test_what_is_no_event_of_this_model_starts_nothing(event: str, said: str, new_project: Project) -> None:
    done = new_project.run("--event", event)
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith(f"error: {said}")
    assert done.err.count("\n") == 1
