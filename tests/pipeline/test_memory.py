"""A run on a table that is larger than memory: every step goes on from the disk."""

import pytest

from ekiben.model.package import PROVENANCE_FILE
from ekiben.model.provenance import load_provenance
from ekiben.pipeline.steps.room import MEMORY
from ekiben.training.registry import tracking
from ekiben.training.registry.version_packages import open_package
from ekiben.training.streaming import memory
from tests.pipeline.project import NAME, STEPS, Project, make_rows

pytestmark = pytest.mark.slow


@pytest.fixture
def little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let any table be larger than memory."""
    monkeypatch.setattr(memory, "COPIES", 10**6)


@pytest.mark.usefixtures("little_memory")
def test_a_table_larger_than_memory_goes_through_all_gates(new_project: Project) -> None:
    new_project.write(make_rows(6000, 0))
    new_project.add("[pipeline]\nmin_rows = 6000\n")
    done = new_project.run("--memory", "2GB")
    assert (done.code, done.last) == (0, "version 1 is the champion of shop, its first"), done.err
    assert done.out.count("larger than memory: about ") == 1
    assert "ingest (done): 6,000 rows of shop.csv are kept as " in done.out
    assert "check (done): 6,000 rows can be trained on" in done.out
    with open_package(tracking.get_version(NAME, "1")) as package:
        options = load_provenance(package / PROVENANCE_FILE).definition.options
    assert options.memory == 2_000_000_000
    assert new_project.run("--memory", "2GB").last.endswith("nothing has changed since")
    assert [step for step in STEPS if new_project.reused()[step]] == ["ingest", "train", "evaluate", "pack", "image"]
    again = new_project.run("--memory", "3GB", "--seed", "1")
    assert again.code in (0, 3), again.err
    assert " test rows is " in again.out  # the sentence of the comparison with the champion
    assert not list((new_project.folder / "data" / "scratch").glob("table-*"))


@pytest.mark.usefixtures("little_memory")
def test_steps_after_the_first_have_its_memory(new_project: Project) -> None:
    said = new_project.step("ingest", "", "--memory", "2GB")
    for name in ("check", "train"):
        said = new_project.step(name, said["key"])
        assert said["verdict"] == "go"
    memory_of = new_project.record("ingest").parent.parent / "work" / new_project.record("ingest").stem / MEMORY
    assert memory_of.read_text() == "2000000000"


@pytest.mark.usefixtures("little_memory")
@pytest.mark.parametrize(
    ("added", "options", "said"),
    [
        ('[split]\ngroup = "shop"\n', (), "error: [split] group: it needs the whole table in memory"),
        ("", ("--memory", "1GB"), "error: --memory: the libraries alone take 1.2 GB: give 1.5 GB or more, not 1.0 GB"),
    ],
)
def test_what_cannot_be_done_from_the_disk_is_one_sentence(
    added: str, options: tuple[str, ...], said: str, new_project: Project
) -> None:
    head, *rows = make_rows(600, 0).splitlines()
    new_project.write("\n".join([f"shop,{head}", *(f"{index % 40},{row}" for index, row in enumerate(rows))]) + "\n")
    new_project.add(added)
    done = new_project.run(*options)
    assert done.code == 1
    assert done.err.splitlines()[-1].startswith(said)
    assert "Traceback" not in done.err
    assert new_project.champion() == ""


def test_a_table_that_fits_into_memory_is_trained_on_there(project: Project) -> None:
    done = project.run("--memory", "2GB")
    assert (done.code, done.last) == (0, "version 1 of shop is the champion already: nothing has changed since")
    assert project.reused()["train"], "the same table is the same, whatever memory it might have had"
