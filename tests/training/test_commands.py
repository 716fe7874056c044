"""The commands as a person runs them: what they print, reject, leave in the stores, and leave alone."""

import gzip
import os
import random
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import bentoml
import numpy as np
import pandas as pd
import pytest
from mlflow.entities import Run
from mlflow.tracking import MlflowClient

from ekiben.model.package import PackedModel
from ekiben.training.__main__ import main
from ekiben.training.checks.gate import report_path
from tests.conftest import PATIENCE_S, ROOT, run, stores_in, wait_until

NAME = "commands_test"
ROWS = 400
BAR = re.compile(r"(reading|predicting|training|packing): ")
PROBLEM = """
name = "commands_test"
[source]
path = "table.csv"
[target]
name = "outcome"
task = "binary"
[features]
"unit price" = { kind = "number" }
"شهر" = { kind = "category" }
"""
Capture = pytest.CaptureFixture[str]
Change = Callable[[pd.DataFrame], pd.DataFrame]


def make_table() -> pd.DataFrame:
    """Four features of all kinds and a target that follows two of them."""
    chance = np.random.default_rng(3)
    price, member = chance.normal(40, 10, ROWS).round(1), chance.random(ROWS) < 0.5
    score = (price - 40) / 10 + member - 0.5 + chance.normal(0, 0.5, ROWS)
    when = pd.Timestamp("2024-01-01") + pd.to_timedelta(np.arange(ROWS) * 7, unit="h")
    return pd.DataFrame(
        {
            "unit price": price.astype(str),
            "شهر": chance.choice(["Tehran", "Qom", "یزد"], ROWS),
            "member": np.where(member, "yes", "no"),
            "when": when.strftime("%Y-%m-%d %H:%M:%S"),
            "outcome": np.where(score > 0, "won", "lost"),
        }
    )


@dataclass(frozen=True)
class Project:
    """A folder with a problem file, its table and stores of its own."""

    folder: Path

    @property
    def problem(self) -> Path:
        return self.folder / "problem.toml"

    @property
    def table(self) -> Path:
        return self.folder / "table.csv"

    @property
    def database(self) -> Path:
        return self.folder / "mlflow.db"

    @property
    def home(self) -> Path:
        return self.folder / "bentoml"

    @property
    def stores(self) -> dict[str, str]:
        return stores_in(self.folder)

    @property
    def client(self) -> MlflowClient:
        return MlflowClient(self.stores["MLFLOW_TRACKING_URI"])

    def copy(self, folder: Path) -> "Project":
        """Return one that may be changed; the artifacts of the runs stay where they are."""
        shutil.copytree(self.folder, folder, ignore=shutil.ignore_patterns("artifacts"), symlinks=True)
        return Project(folder)

    def write(self, table: pd.DataFrame) -> None:
        table.to_csv(self.table, index=False)

    def run(self, command: str, *options: str, fails: bool = False) -> "subprocess.CompletedProcess[str]":
        return run(
            "-m", "ekiben.training", command, *options, "--problem", str(self.problem), fails=fails, **self.stores
        )

    def champion(self) -> str:
        return str(self.client.get_model_version_by_alias(NAME, "champion").version)

    def versions(self) -> list[str]:
        return sorted(str(found.version) for found in self.client.search_model_versions(f"name = '{NAME}'"))

    def runs(self) -> list[Run]:
        """The runs, the latest first."""
        experiment = self.client.get_experiment_by_name(NAME)
        assert experiment
        return list(self.client.search_runs([experiment.experiment_id]))

    def stored(self) -> dict[str, bytes]:
        """Every file of the BentoML store that says which model it is."""
        return {
            str(path.relative_to(self.home)): path.read_bytes()
            for pattern in ("latest", "manifest.json")
            for path in self.home.rglob(pattern)
        }


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A project whose first version was trained by the commands alone."""
    project = Project(tmp_path_factory.mktemp("trained"))
    project.home.mkdir()
    project.write(make_table())
    made = ["--target", "outcome", "--name", NAME, "-o", str(project.problem)]
    run("-m", "ekiben.training", "init", str(project.table), *made, **project.stores)
    project.run("train", "--epochs", "2")
    yield project
    report_path(NAME).unlink(missing_ok=True)


@pytest.fixture(scope="module")
def killed(trained: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A copy in which a training on a table of other values died without a word."""
    project = trained.copy(tmp_path_factory.mktemp("killed") / "project")
    project.write(raise_prices(make_table()))
    assert stop_training(project, signal.SIGKILL)[0] == -signal.SIGKILL
    return project


@pytest.fixture(scope="module")
def changed(killed: Project, tmp_path_factory: pytest.TempPathFactory) -> tuple[Project, str]:
    """A copy of that in which a table of another schema was trained on, and what was printed."""
    project = killed.copy(tmp_path_factory.mktemp("changed") / "project")
    project.write(put("شهر", "")(make_table()))
    return project, project.run("train", "--epochs", "2", "--accept-schema-change").stdout


@pytest.fixture
def enter(use_stores: Callable[[Path], None]) -> Callable[[Project], Project]:
    """Let commands run within this process on a project's stores."""

    def use(project: Project) -> Project:
        use_stores(project.folder)
        return project

    return use


@pytest.fixture
def project(trained: Project, enter: Callable[[Project], Project], tmp_path: Path) -> Project:
    """A copy of the trained project, which commands in this process use."""
    return enter(trained.copy(tmp_path / "project"))


@pytest.fixture
def empty(enter: Callable[[Project], Project], tmp_path: Path) -> Project:
    """A good table and no store yet, which commands in this process use."""
    project = enter(Project(tmp_path))
    project.write(make_table())
    return project


def stop_training(project: Project, stop: signal.Signals) -> tuple[int, str]:
    """Start a training, send it a signal in the middle of the fit; return its exit code and what it printed."""
    log = project.folder / "training.log"
    command = [
        sys.executable,
        "-m",
        "ekiben.training",
        "train",
        "--problem",
        str(project.problem),
        "--epochs",
        "100000",
    ]
    with log.open("w") as output:
        process = subprocess.Popen(
            command,
            cwd=ROOT, env=os.environ | project.stores | {"PYTHONUNBUFFERED": "1"}, stdout=output, stderr=output,
        )  # fmt: skip
    try:
        wait_until(lambda: "training:" in log.read_text() or process.poll() is not None, log.read_text, within_s=120)
        process.send_signal(stop)
        return process.wait(timeout=PATIENCE_S), log.read_text()
    finally:
        process.kill()


def call(project: Project, command: str, *options: str) -> int:
    """Run a command in this process."""
    return main([command, *options, "--problem", str(project.problem)])


def said(capsys: Capture) -> list[str]:
    """The lines of standard error that are no progress bars."""
    lines = re.split(r"[\r\n]+", capsys.readouterr().err)
    return [line for line in lines if line.strip() and not BAR.match(line)]


def reject(capsys: Capture, arguments: list[str]) -> str:
    """Run a command that fails in this process; return the one sentence that it says."""
    capsys.readouterr()
    assert main(arguments) == 2
    (line,) = said(capsys)
    assert line.startswith("error: ")
    return line.removeprefix("error: ")


def raise_prices(table: pd.DataFrame) -> pd.DataFrame:
    """Return the same table with the prices of its upper half."""
    prices = table["unit price"].astype(float)[:280]  # of the training rows: none is out of range
    chosen = np.random.default_rng(4).choice(prices[prices > prices.median()], len(table))
    return table.assign(**{"unit price": chosen.astype(str)})


def put(column: str, value: str | None, rows: slice = slice(3, 5)) -> Change:
    """Return what writes a value into some rows of a column."""

    def change(table: pd.DataFrame) -> pd.DataFrame:
        column_values = table[column].copy()
        column_values[rows] = value
        return table.assign(**{column: column_values})

    return change


# A table unlike the champion's

SKEWS: dict[str, tuple[Change, str]] = {
    "missing": (lambda table: table.drop(columns="شهر"), "`شهر`: missing from the table"),
    "extra": (lambda table: table.assign(رنگ="red"), "`رنگ`: a new column"),
    "retyped": (put("unit price", "dear"), "`unit price`: can't be read as a number in 2 of 400 rows"),
    "new nulls": (put("شهر", ""), "`شهر`: missing in 2 of 400 rows"),
    "out of range": (put("unit price", "1000000"), "`unit price`: not between"),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", SKEWS)
def test_a_table_that_breaks_the_contract_is_rejected(kind: str, project: Project, capsys: Capture) -> None:
    change, sentence = SKEWS[kind]
    project.write(change(make_table()))
    stored = project.stored()
    report_path(NAME).unlink(missing_ok=True)
    assert call(project, "train") == 2
    printed = capsys.readouterr()
    line = next(line for line in printed.err.splitlines() if line.startswith("error: "))
    assert printed.err.count("error: ") == 1
    assert f"{project.table} contradicts the schema of version 1: {sentence}" in line
    assert "--accept-schema-change" in line
    assert sentence in printed.out
    assert "Traceback" not in printed.err
    assert "<html" in report_path(NAME).read_text("utf-8")
    failed = project.runs()[0]
    assert failed.info.status == "FAILED"
    assert failed.data.metrics["skews"] == 1
    assert page_in(failed).read_text("utf-8") == report_path(NAME).read_text("utf-8")
    assert (project.champion(), project.versions(), project.stored()) == ("1", ["1"], stored)


@pytest.mark.slow
def test_a_champion_packed_without_a_reference_is_a_contract_all_the_same(
    project: Project, trained: Project, capsys: Capture
) -> None:
    (reference,) = trained.folder.glob("artifacts/*/artifacts/package/reference.json")
    kept = reference.rename(reference.with_suffix(".kept"))
    try:
        project.write(put("unit price", "1000000")(make_table()))
        assert call(project, "train") == 2
    finally:
        kept.rename(reference)
    assert "contradicts the schema of version 1: `unit price`: not between" in capsys.readouterr().err


def page_in(logged: Run) -> Path:
    (page,) = (Path(str(logged.info.artifact_uri).removeprefix("file://")) / "checks").glob("*.html")
    return page


@pytest.mark.slow
def test_a_change_that_is_meant_is_trained_on(changed: tuple[Project, str]) -> None:
    project, printed = changed
    assert "`شهر`: missing in 2 of 400 rows" in printed
    assert project.versions() == ["1", "2"]
    latest = project.runs()[0]
    assert latest.info.status == "FINISHED"
    assert latest.data.metrics["skews"] == 1
    assert "شهر" in page_in(latest).read_text("utf-8")


@pytest.mark.slow
def test_other_values_are_drift_and_are_trained_on(killed: Project) -> None:
    printed = (killed.folder / "training.log").read_text("utf-8")
    assert re.search(r"drifted:\n  `unit price`: PSI \d\.\d+, ", printed)
    begun = killed.runs()[0]
    assert begun.data.metrics["worst_psi"] > 0.25
    assert begun.data.metrics["skews"] == 0
    assert "unit price" in page_in(begun).read_text("utf-8")


@pytest.mark.slow
def test_the_same_table_has_no_drift(project: Project, capsys: Capture) -> None:
    project.write(make_table().drop(columns="member"))  # rejected, so that nothing is fitted
    assert call(project, "train") == 2
    assert "drifted" not in capsys.readouterr().out


# A champion whose package is gone


@pytest.fixture
def forgetful(trained: Project, tmp_path: Path) -> Iterator[Project]:
    """A copy of the project while the champion's package is gone from its run, as a bucket's rules delete it."""
    run_id = trained.client.get_model_version_by_alias(NAME, "champion").run_id
    (package,) = trained.folder.glob(f"artifacts/{run_id}/artifacts/package")
    kept = package.rename(package.with_name("kept"))
    yield trained.copy(tmp_path / "project")
    kept.rename(package)


@pytest.mark.slow
def test_the_stores_copy_of_a_lost_package_is_compared_with(forgetful: Project) -> None:
    printed = forgetful.run("train", "--epochs", "1").stdout
    assert "the package of version 1, the champion, is gone from its run in MLflow: its copy in the" in printed
    assert "of version 2 against" in printed


@pytest.mark.slow
def test_a_lost_package_does_not_stop_training(forgetful: Project) -> None:
    shutil.rmtree(forgetful.home)
    printed = forgetful.run("train", "--epochs", "1").stdout
    assert "the package of version 1, the champion, is gone from its run in MLflow: nothing is compared" in printed
    assert "the champion, version 1, has lost its package: version 2 takes its place\n" in printed
    assert f"packed as {NAME}:2" in printed
    assert (forgetful.champion(), forgetful.runs()[0].info.status) == ("2", "FINISHED")


# Two at once


@pytest.mark.slow
def test_two_first_trainings_at_once(trained: Project, tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.home.mkdir()
    shutil.copy(trained.problem, tmp_path)
    shutil.copy(trained.table, tmp_path)
    command = [sys.executable, "-m", "ekiben.training", "train", "--problem", str(project.problem), "--epochs", "1"]
    both = [
        subprocess.Popen(
            command, cwd=ROOT, env=os.environ | project.stores,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )
        for _ in range(2)
    ]  # fmt: skip
    printed = [process.communicate(timeout=300)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0], printed
    assert project.versions() == ["1", "2"]
    assert "is the first of" in "".join(printed)
    assert "of the champion, version" in "".join(printed)  # the later one is compared, not first too


# Training that is stopped


@pytest.mark.slow
def test_an_interrupted_training_leaves_the_champion(trained: Project, tmp_path: Path) -> None:
    project = trained.copy(tmp_path / "project")
    code, errors = stop_training(project, signal.SIGINT)
    assert code == 130
    assert "interrupted: the champion is unchanged" in errors
    assert "Traceback" not in errors
    assert (project.champion(), project.versions(), project.stored()) == ("1", ["1"], trained.stored())
    assert [found.info.status for found in project.runs()] == ["FAILED", "FINISHED"]


@pytest.mark.slow
def test_a_killed_training_leaves_the_champion(killed: Project, trained: Project) -> None:
    assert (killed.champion(), killed.versions(), killed.stored()) == ("1", ["1"], trained.stored())
    assert [found.info.status for found in killed.runs()] == ["RUNNING", "FINISHED"]


@pytest.mark.slow
def test_the_next_training_marks_the_killed_run(changed: tuple[Project, str]) -> None:
    assert [found.info.status for found in changed[0].runs()] == ["FINISHED", "KILLED", "FINISHED"]


@pytest.mark.slow
def test_if_missing_does_nothing_where_a_model_is(project: Project, capsys: Capture) -> None:
    project.table.unlink()
    assert call(project, "train", "--if-missing") == 0
    assert capsys.readouterr() == ("", "")
    assert len(project.runs()) == 1


def test_if_missing_trains_where_no_model_is(empty: Project, capsys: Capture) -> None:
    empty.problem.write_text(PROBLEM)
    empty.table.unlink()
    assert "there is no file" in reject(capsys, ["train", "--if-missing", "--problem", str(empty.problem)])


# Which version serves


@pytest.fixture
def two(changed: tuple[Project, str], enter: Callable[[Project], Project], tmp_path: Path) -> Project:
    """A project of two versions, which commands in this process use."""
    return enter(changed[0].copy(tmp_path / "project"))


def served() -> str:
    """The version that the service started next serves."""
    return bentoml.models.get(f"{NAME}:latest").info.labels["version"]


@pytest.mark.slow
def test_compare_shows_the_best_first(two: Project, capsys: Capture) -> None:
    assert call(two, "compare") == 0
    heading, *lines = capsys.readouterr().out.splitlines()
    assert heading.split()[:4] == ["version", "alias", "log_loss", "auc"]
    assert sorted(line.split()[0] for line in lines) == ["1", "2"]  # neither the killed run
    (champion,) = (line.split()[0] for line in lines if "champion" in line)
    assert champion == two.champion()
    losses = [float(found) for line in lines for found in re.findall(r"^ *\d [a-z ,]*([\d.]+)", line)]
    assert len(losses) == 2
    assert losses == sorted(losses)


@pytest.mark.slow
def test_promote_and_rollback_choose_what_serves(two: Project, capsys: Capture) -> None:
    for version in ("1", "2", "1"):
        assert call(two, "promote", version) == 0
        assert f"version {version} is the champion of {NAME}" in capsys.readouterr().out
        assert (two.champion(), served()) == (version, version)
    assert call(two, "rollback") == 0
    assert (two.champion(), served()) == ("2", "2")
    assert call(two, "rollback") == 0
    assert (two.champion(), served()) == ("1", "1")


@pytest.mark.slow
@pytest.mark.parametrize("version", ["7", "champion", "-1", "1 "])
def test_a_version_that_is_not_there_is_not_promoted(version: str, project: Project, capsys: Capture) -> None:
    sentence = reject(capsys, ["promote", "--problem", str(project.problem), "--", version])
    assert sentence == f"the registry has no version {version} of {NAME}: it has 1"
    assert (project.champion(), served()) == ("1", "1")


@pytest.mark.slow
def test_there_is_nothing_before_the_first_champion(project: Project, capsys: Capture) -> None:
    sentence = reject(capsys, ["rollback", "--problem", str(project.problem)])
    assert sentence == f"no version of {NAME} was the champion before: `promote VERSION` chooses any other"
    assert (project.champion(), served()) == ("1", "1")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["compare"], "there is no MLflow store yet: train first with `ekiben train`"),
        (["promote", "1"], "there is no MLflow store yet: train first with `ekiben train`"),
        (["rollback"], "there is no MLflow store yet: train first with `ekiben train`"),
        (["predict", "table.csv"], f"there is no model `{NAME}` in the BentoML store: run `ekiben train` first"),
    ],
)
def test_nothing_was_trained_yet(arguments: list[str], sentence: str, empty: Project, capsys: Capture) -> None:
    empty.problem.write_text(PROBLEM)
    assert reject(capsys, [*arguments, "--problem", str(empty.problem)]) == sentence
    assert_untouched(empty)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["compare"], "other has no finished run: train it with `ekiben train`"),
        (
            ["promote", "1"],
            "the registry has no version 1 of other: train it first with `ekiben train`",
        ),
        (["rollback"], "no version of other was the champion before: `promote VERSION` chooses any other"),
        (["predict", "table.csv"], "there is no model `other` in the BentoML store: run `ekiben train` first"),
    ],
)
def test_only_another_problem_was_trained(
    arguments: list[str], sentence: str, project: Project, capsys: Capture
) -> None:
    project.problem.write_text(PROBLEM.replace(NAME, "other"), "utf-8")
    assert reject(capsys, [*arguments, "--problem", str(project.problem)]) == sentence


# Offline predictions


def score(project: Project, table: pd.DataFrame, name: str = "scored.csv") -> int:
    path = project.folder / "new.csv"
    table.to_csv(path, index=False)
    return call(project, "predict", str(path), "-o", str(project.folder / name))


@pytest.mark.slow
def test_the_same_predictions_in_every_format(project: Project) -> None:
    table = make_table()
    for name in ("scored.csv", "scored.csv.gz", "scored.parquet"):
        assert score(project, table, name) == 0
    plain = pd.read_csv(project.folder / "scored.csv")
    zipped = pd.read_csv(project.folder / "scored.csv.gz")
    columnar = pd.read_parquet(project.folder / "scored.parquet")
    assert plain.columns.tolist() == [
        *table, "prediction.probability", "prediction.label", "prediction.problem"
    ]  # fmt: skip
    assert plain.equals(zipped)
    assert plain["prediction.probability"].astype("float32").tolist() == columnar["prediction.probability"].tolist()
    assert plain["prediction.label"].tolist() == columnar["prediction.label"].tolist()
    assert columnar["prediction.problem"].isna().all()
    assert (columnar["prediction.label"] == table["outcome"]).mean() > 0.6
    assert [path.name for path in project.folder.iterdir() if path.name.startswith(".")] == []


@pytest.mark.slow
def test_standard_output_is_the_table_and_nothing_else(project: Project) -> None:
    done = project.run("predict", str(project.table))
    lines = done.stdout.splitlines()
    assert len(lines) == ROWS + 1
    assert lines[0].startswith('"unit price","شهر"')
    assert "400 rows: read" in done.stderr


@pytest.mark.slow
def test_a_reader_that_has_seen_enough_is_no_error(project: Project) -> None:
    write_long(project.folder / "long.csv", 200)
    command = [sys.executable, "-m", "ekiben.training", "predict", str(project.folder / "long.csv")]
    process = subprocess.Popen(
        [*command, "--problem", str(project.problem)],
        cwd=ROOT, env=os.environ | project.stores, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout
    assert process.stderr
    assert process.stdout.readline().startswith('"unit price"')
    process.stdout.close()
    errors = process.stderr.read()
    process.wait(timeout=PATIENCE_S)
    process.stderr.close()
    assert "Traceback" not in errors
    assert process.returncode == 141


@pytest.mark.slow
def test_rows_that_do_not_fit_get_no_prediction_and_a_reason(project: Project, capsys: Capture) -> None:
    table = put("unit price", "dear", slice(3, 4))(make_table())
    table = put("member", "", slice(5, 6))(table)
    table = put("when", "soon", slice(3, 4))(table)
    assert score(project, table, "scored.parquet") == 1
    assert "rows that don't fit the schema and have no prediction: 2; `prediction.problem`" in said(capsys)[-1]
    scored = pd.read_parquet(project.folder / "scored.parquet")
    rejected = scored["prediction.problem"].notna()
    assert np.flatnonzero(rejected).tolist() == [3, 5]
    assert scored["prediction.probability"].isna().equals(rejected)
    assert scored["prediction.label"].isna().equals(rejected)
    assert scored["prediction.problem"][3] == (
        "`unit price`: expected a number, got 'dear'; "
        "`when`: expected an ISO 8601 date and time such as 2013-07-04T17:30:00, got 'soon'"
    )  # fmt: skip
    assert scored["prediction.problem"][5].startswith("`member`: null is not allowed")


@pytest.mark.slow
def test_a_value_never_seen_is_counted_and_scored(project: Project, capsys: Capture) -> None:
    assert score(project, put("شهر", "Karaj", slice(0, 3))(make_table())) == 0
    assert said(capsys)[-1] == "rows with a value never seen in training: 3"
    assert pd.read_csv(project.folder / "scored.csv")["prediction.probability"].notna().all()


@pytest.mark.slow
def test_a_table_written_in_another_way_has_the_same_predictions(project: Project) -> None:
    table = make_table()
    assert score(project, table) == 0
    expected = pd.read_csv(project.folder / "scored.csv")["prediction.probability"]
    other = project.folder / "other.csv"
    commas = table["unit price"].str.replace(".", ",", regex=False)
    table.assign(**{"unit price": commas}).to_csv(other, index=False, sep=";", encoding="utf-16")
    arguments = ["predict", str(other), "-o", str(project.folder / "scored.csv")]
    assert call(project, *arguments) == 1  # a decimal comma is not what the schema says
    assert call(project, *arguments, "--decimal", ",") == 0
    assert pd.read_csv(project.folder / "scored.csv")["prediction.probability"].equals(expected)


@pytest.mark.slow
def test_what_stands_for_missing_can_be_said(project: Project, capsys: Capture) -> None:
    table = put("شهر", "-", slice(0, 3))(make_table())
    assert score(project, table) == 0
    assert said(capsys)[-1] == "rows with a value never seen in training: 3"
    arguments = ["predict", str(project.folder / "new.csv"), "-o", str(project.folder / "scored.csv")]
    assert call(project, *arguments, "--null", "?!", "--null", "-") == 1
    assert "`شهر`: null is not allowed" in pd.read_csv(project.folder / "scored.csv")["prediction.problem"][0]


@pytest.mark.slow
def test_labels_are_decided_by_a_threshold_that_is_said(project: Project, capsys: Capture) -> None:
    assert score(project, make_table()) == 0
    usual = pd.read_csv(project.folder / "scored.csv")
    arguments = ["predict", str(project.folder / "new.csv"), "-o", str(project.folder / "scored.csv"), "--threshold"]
    assert call(project, *arguments, "0") == 0
    scored = pd.read_csv(project.folder / "scored.csv")
    assert scored["prediction.label"].nunique() == 1
    assert scored["prediction.probability"].equals(usual["prediction.probability"])
    for wrong in ("nan", "2", "much"):
        sentence = reject(capsys, [*arguments, wrong, "--problem", str(project.problem)])
        assert sentence.startswith("threshold: expected a number from 0 to 1, got")


@pytest.mark.slow
def test_a_table_without_a_target_is_scored(project: Project) -> None:
    assert score(project, make_table().drop(columns="outcome")) == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "output", "sentence"),
    [
        (lambda table: table.rename(columns={"شهر": "شهرها"}), "scored.csv", "did you mean `شهرها`"),
        (lambda table: table.assign(**{"prediction.label": 1}), "scored.csv", "rename it"),
        (lambda table: table.head(0), "scored.csv", "has no rows"),
        (lambda table: table, "scored.xlsx", "scored.xlsx: the output can be .csv, .csv.gz or .parquet"),
        (lambda table: table, "nowhere/scored.csv", "nowhere/scored.csv can't be written: No such file or directory"),
    ],
    ids=["missing column", "taken name", "no rows", "wrong ending", "no folder"],
)  # fmt: skip
def test_a_prediction_that_cannot_be_made(
    change: Change, output: str, sentence: str, project: Project, capsys: Capture
) -> None:
    change(make_table()).to_csv(project.folder / "new.csv", index=False)
    before = sorted(project.folder.iterdir())
    arguments = ["predict", str(project.folder / "new.csv"), "--problem", str(project.problem)]
    assert sentence in reject(capsys, [*arguments, "-o", str(project.folder / output)])
    assert sorted(project.folder.iterdir()) == before


@pytest.mark.slow
@pytest.mark.parametrize("output", ["scored.xlsx", "nowhere/scored.csv"])
def test_an_output_that_cannot_be_written_is_said_before_the_engine_starts(
    output: str, project: Project, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PackedModel, "start_engine", lambda _: pytest.fail("it started"))
    make_table().to_csv(project.folder / "new.csv", index=False)
    arguments = ["predict", str(project.folder / "new.csv"), "--problem", str(project.problem)]
    assert output in reject(capsys, [*arguments, "-o", str(project.folder / output)])


def write_long(path: Path, times: int) -> None:
    """Write the table many times over."""
    heading, rows = make_table().to_csv(index=False).split("\n", 1)
    path.write_text(f"{heading}\n{rows * times}", "utf-8")


@pytest.mark.slow
def test_a_table_that_breaks_off_leaves_the_output_as_it_was(project: Project, capsys: Capture) -> None:
    write_long(project.folder / "long.csv", 300)
    whole = gzip.compress((project.folder / "long.csv").read_bytes(), 1)
    (project.folder / "cut.csv.gz").write_bytes(whole[: len(whole) - 1000])
    output = project.folder / "scored.csv"
    output.write_text("of yesterday")
    before = sorted(project.folder.iterdir())
    arguments = ["predict", str(project.folder / "cut.csv.gz"), "--problem", str(project.problem), "-o", str(output)]
    assert "cut.csv.gz can't be read" in reject(capsys, arguments)
    assert output.read_text() == "of yesterday"
    assert sorted(project.folder.iterdir()) == before


@pytest.mark.slow
@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_prediction_leaves_no_file(project: Project, stop: signal.Signals) -> None:
    write_long(project.folder / "long.csv", 3000)
    output, log = project.folder / "scored.csv", project.folder / "stderr.log"
    command = [sys.executable, "-m", "ekiben.training", "predict", str(project.folder / "long.csv"), "-o", str(output)]
    with log.open("w") as errors:
        process = subprocess.Popen(
            [*command, "--problem", str(project.problem)], cwd=ROOT, env=os.environ | project.stores, stderr=errors
        )
    try:
        partial = project.folder / ".scored.csv.part"
        wait_until(lambda: (partial.exists() and partial.stat().st_size > 0) or process.poll() is not None)
        process.send_signal(stop)
        assert process.wait(timeout=PATIENCE_S) == 130, log.read_text()
    finally:
        process.kill()
    assert "Traceback" not in log.read_text()
    assert not output.exists()
    assert not partial.exists()


# Input that is no good


def assert_untouched(project: Project) -> None:
    """Nothing was made or changed in the stores."""
    assert not project.database.exists()
    assert [path for path in project.home.rglob("*") if path.is_file()] == []


def write_text(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


def write_bytes(path: Path) -> None:
    path.write_bytes(random.Random(0).randbytes(5000))


def write_columns(path: Path) -> None:
    names = ",".join(f"column {index}" for index in range(9_999))
    write_text(path, f"{names},outcome\n" + f"{'1,' * 9_999}won\n" * 3)


def write_changed(path: Path, change: Change) -> None:
    change(make_table()).to_csv(path, index=False)


HEADING = "unit price,شهر,member,when,outcome\n"
# What is no good for init and for train alike.
BAD_TABLES: dict[str, tuple[Callable[[Path], None], str]] = {
    "no such file": (lambda path: path.unlink(), "there is no file or folder"),
    "no text": (write_bytes, "table.csv"),
    "empty": (lambda path: write_text(path, ""), "is empty"),
    "heading only": (lambda path: write_text(path, HEADING), "no rows"),
    "one row": (lambda path: write_text(path, f"{HEADING}1,Qom,yes,2024-01-01,won\n"), "1 row"),
    "no target": (
        lambda path: write_changed(path, lambda table: table.rename(columns={"outcome": "outcomes"})),
        "has no column `outcome`; did you mean `outcomes`?",
    ),
    "target all null": (lambda path: write_changed(path, put("outcome", "", slice(None))), "`outcome`"),
    "target constant": (lambda path: write_changed(path, put("outcome", "won", slice(None))), "`outcome`"),
    "a name twice": (lambda path: write_text(path, "a,a,outcome\n" + "1,2,won\n3,4,lost\n" * 50), "`a`"),
    "10,000 columns": (write_columns, "has 10,000 columns, more than 2,000"),
}


@pytest.mark.parametrize("kind", BAD_TABLES)
def test_no_problem_is_written_for_a_bad_table(kind: str, empty: Project, capsys: Capture) -> None:
    make, sentence = BAD_TABLES[kind]
    make(empty.table)
    assert sentence in reject(capsys, ["init", str(empty.table), "--target", "outcome", "-o", str(empty.problem)])
    assert not empty.problem.exists()
    assert_untouched(empty)


@pytest.mark.slow
@pytest.mark.parametrize("kind", BAD_TABLES)
def test_nothing_is_trained_on_a_bad_table(kind: str, empty: Project, capsys: Capture) -> None:
    make, sentence = BAD_TABLES[kind]
    make(empty.table)
    empty.problem.write_text(PROBLEM, "utf-8")
    assert sentence in reject(capsys, ["train", "--problem", str(empty.problem)])
    assert_untouched(empty)


def test_a_good_table_gets_a_problem(empty: Project) -> None:
    assert main(["init", str(empty.table), "--target", "outcome", "-o", str(empty.problem)]) == 0
    assert_untouched(empty)
    assert call(empty, "predict", str(empty.table)) == 2  # no model yet


BAD_PROBLEMS: dict[str, tuple[Callable[[str], str], str]] = {
    "unknown column": (lambda text: f'{text}"colour" = {{ kind = "category" }}\n', "has no column `colour`"),
    "no TOML": (lambda text: f"{text}= 3", "problem.toml is not valid TOML"),
    "wrong delimiter": (lambda text: text.replace('"table.csv"', '"table.csv"\ndelimiter = "|"'), "table.csv"),
    "a date as a number": (
        lambda text: f'{text}"when" = {{ kind = "number" }}\n',
        "`when`: can't be read as a number in 400 of 400 rows (100%), first in row 1: '2024-01-01 00:00:00'",
    ),
    "a string as a boolean": (
        lambda text: text.replace('"category"', '"boolean"'),
        "`شهر`: can't be read as true or false in 400 of 400 rows",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", BAD_PROBLEMS)
def test_nothing_is_trained_from_a_bad_problem(kind: str, empty: Project, capsys: Capture) -> None:
    change, sentence = BAD_PROBLEMS[kind]
    empty.problem.write_text(change(PROBLEM), "utf-8")
    assert sentence in reject(capsys, ["train", "--problem", str(empty.problem)])
    assert_untouched(empty)


@pytest.mark.slow
def test_a_number_column_with_strings_is_rejected(empty: Project, capsys: Capture) -> None:
    empty.write(put("unit price", "dear", slice(8, 20))(make_table()))
    empty.problem.write_text(PROBLEM, "utf-8")
    sentence = reject(capsys, ["train", "--problem", str(empty.problem)])
    assert "`unit price`: can't be read as a number in 12 of 400 rows (3.0%), first in row 9: 'dear'" in sentence
    assert_untouched(empty)


@pytest.fixture
def shop(empty: Project) -> str:
    """The URL of a database with a table."""
    connection = sqlite3.connect(empty.folder / "shop.db")
    make_table().to_sql("sales", connection, index=False)
    connection.close()
    return f"sqlite:///{empty.folder}/shop.db"


BAD_QUERIES = {
    "bad SQL": ("shop.db", "SELEKT * FROM sales", "syntax error"),
    "no such table": ("shop.db", "SELECT * FROM sale", "no such table: sale"),
    "no rows": ("shop.db", "SELECT * FROM sales WHERE 1 = 0", "no rows"),
    "no such file": ("shops.db", "SELECT * FROM sales", "shops.db"),
    "no query": ("shop.db", "", "a database URL needs a query"),
}


@pytest.mark.parametrize("kind", BAD_QUERIES)
def test_no_problem_is_written_for_a_bad_query(kind: str, shop: str, empty: Project, capsys: Capture) -> None:
    file, query, sentence = BAD_QUERIES[kind]
    given = [shop.replace("shop.db", file), *(["--query", query] if query else [])]
    assert sentence in reject(capsys, ["init", *given, "--target", "outcome", "-o", str(empty.problem)])
    assert not empty.problem.exists()
    assert not (empty.folder / "shops.db").exists()
    assert_untouched(empty)


@pytest.mark.slow
@pytest.mark.parametrize("kind", BAD_QUERIES)
def test_nothing_is_trained_on_a_bad_query(kind: str, shop: str, empty: Project, capsys: Capture) -> None:
    file, query, sentence = BAD_QUERIES[kind]
    entries = f'url = "{shop.replace("shop.db", file)}"' + (f'\nquery = "{query}"' if query else "")
    empty.problem.write_text(PROBLEM.replace('path = "table.csv"', entries), "utf-8")
    expected = sentence if query else "`source.query`: field required"
    assert expected in reject(capsys, ["train", "--problem", str(empty.problem)])
    assert not (empty.folder / "shops.db").exists()
    assert_untouched(empty)


def test_a_problem_is_written_over_only_by_force(empty: Project, capsys: Capture) -> None:
    empty.problem.write_text("mine")
    arguments = ["init", str(empty.table), "--target", "outcome", "-o", str(empty.problem)]
    assert reject(capsys, arguments).startswith(f"{empty.problem} is there already: add --force")
    assert empty.problem.read_text() == "mine"
    assert main([*arguments, "--force"]) == 0
    assert "outcome" in empty.problem.read_text("utf-8")
