"""The documentation as a site: built strictly, with nothing of another host, and a reference that is as the code is."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ekiben.commands.parser import build_parser
from ekiben.docs.site.command_reference import render_commands
from ekiben.docs.site.links import link
from ekiben.docs.site.metric_reference import render_metrics
from ekiben.docs.site.problem_reference import render_problem_file
from ekiben.training.problem import ProblemConfig
from tests.conftest import ROOT, Server
from tests.http_client import HTTP

LOADED = re.compile(
    r"<(?:script|img|iframe|source)\b[^>]*\bsrc=[\"']?(?:https?:)?//|<link\b[^>]*href=[\"']?(?:https?:)?//"
)
OTHERS = ("python_", "process_", "bentoml_")  # metrics of libraries


def build(config: Path, folder: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--config-file", str(config), "--site-dir", str(folder)],
        cwd=ROOT, env=os.environ | {"NO_MKDOCS_2_WARNING": "1"}, capture_output=True, text=True, timeout=120,
    )  # fmt: skip


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    built = build(ROOT / "mkdocs.yml", folder)
    assert built.returncode == 0, built.stderr
    return folder


@pytest.mark.slow
def test_nothing_is_loaded_from_another_host(site: Path) -> None:
    pages = {path: path.read_text(encoding="utf-8") for path in site.rglob("*.html")}
    assert len(pages) > 40
    assert [str(path) for path, page in pages.items() if LOADED.search(page)] == []


@pytest.mark.parametrize(
    "tag", ['<script defer src="https://a/b.js">', "<link rel=x href='//a/b.css'>", "<img src=http://a>"]
)
def test_what_would_be_loaded_is_found(tag: str) -> None:
    assert LOADED.search(tag)
    assert not LOADED.search('<a href="https://a/b">')


@pytest.mark.slow
def test_pages_lead_to_each_other_wherever_their_sources_lie(site: Path) -> None:
    def read(name: str) -> str:
        return (site / name).read_text(encoding="utf-8")

    assert '<a href="row_log.html">The row log and labels</a>' in read("monitoring.html")
    assert '<a href="kubernetes/index.html">Kubernetes</a>' in read("deploy/index.html")
    assert '<a href="../../monitoring.html">' in read("deploy/compose/index.html")
    assert "<h2" in read("runbooks/EkibenDown.html")  # as the alerts' links have it
    assert '<a href="reference/problem_file.html">problem.toml</a>' in read("own_table.html")
    assert (site / "deploy" / "vertex-ai" / "retrain.py").exists()
    assert "needs the platform" in read("deploy/ecs/index.html")


@pytest.mark.slow
def test_a_link_to_nothing_ends_the_build(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "docs", tmp_path / "docs")
    config = (ROOT / "mkdocs.yml").read_text().replace("docs/site/hooks.py", str(ROOT / "docs" / "site" / "hooks.py"))
    (tmp_path / "mkdocs.yml").write_text(config)
    with (tmp_path / "docs" / "start.md").open("a") as page:
        page.write("\n[gone](gone.md)\n")
    built = build(tmp_path / "mkdocs.yml", tmp_path / "site")
    assert built.returncode == 1
    assert "link 'gone.md', but the target is not found" in built.stderr


def test_links_are_those_of_the_site() -> None:
    page = "`docs/load.md`, `service/a.py`, [K](kubernetes/), [T](../docs/tables.md#null), `README.md`\n"
    moved = "[Performance](../load.md), `service/a.py`, [K](kubernetes/README.md), [T](../tables.md#null), `README.md`"
    assert link(f"{page}```sh\n{page}```\n", "deploy/README.md") == f"{moved}\n```sh\n{page}```\n"


def test_the_reference_has_every_command() -> None:
    page = render_commands()
    (commands,) = [action.choices for action in build_parser()._actions if isinstance(action.choices, dict)]
    assert len(commands) > 30
    assert {name for name in commands if f"### ekiben {name}\n\n```text\nusage: ekiben {name} " not in page} == set()
    assert "### ekiben data diff" in page


def test_the_reference_has_every_entry_of_a_problem_file() -> None:
    page, schema = render_problem_file(), ProblemConfig.model_json_schema()
    for model in (schema, *schema["$defs"].values()):
        for entry, facts in model["properties"].items():
            assert facts.get("description"), f"{model['title']}.{entry}"
            assert f"| `{entry}` |" in page or f"{entry}]" in page or f"{entry}.NAME]" in page, entry


@pytest.mark.slow
def test_the_reference_has_every_metric_of_a_service(server: Server) -> None:
    page = render_metrics()
    found = set(re.findall(r"^# TYPE (\w+) ", HTTP.get(f"{server.url}/metrics").text, flags=re.MULTILINE))
    ours = {name for name in found if not name.startswith(OTHERS)}
    assert len(ours) > 10  # those with labels come with the first request
    assert {name for name in ours if f"`{name}`" not in page} == set()


def test_the_pictures_are_small_and_the_drawing_can_be_read_aloud() -> None:
    images = ROOT / "docs" / "images"
    assert all(path.stat().st_size < 200_000 for path in images.iterdir())
    loop = (images / "loop.svg").read_text(encoding="utf-8")
    assert len(loop) < 10_000
    assert re.search(r"<title id=\"title\">.+</title>\n<desc id=\"about\">.+</desc>", loop)


def test_a_folder_without_a_page_is_named_only() -> None:
    page = "[a queue](../batching), [all](.), ![x](../../docs/images/loop.svg)"
    assert link(page, "service/protocols/README.md") == "a queue, [all](README.md), ![x](../../images/loop.svg)"
