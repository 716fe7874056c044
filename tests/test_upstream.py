"""Every use of another project's internals is listed in docs/upstream.md, and what is listed is still so."""

import ast
import json

import pytest

from tests.conftest import run
from tests.dependencies import REQUIREMENTS
from tests.internals import Module, find_inherited, list_makers
from tests.upstream import LIST, Liberty, find_changes, read_list

LIBERTIES = read_list(LIST.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def found() -> dict[str, list[str]]:
    """What a process of its own finds."""
    result: dict[str, list[str]] = json.loads(run("-W", "ignore", "-m", "tests.upstream").stdout.splitlines()[-1])
    return result


@pytest.mark.slow
def test_what_is_listed_is_still_so(found: dict[str, list[str]]) -> None:
    assert found["changed"] == [], "\n".join(found["changed"])


@pytest.mark.slow
def test_every_internal_that_is_used_is_listed(found: dict[str, list[str]]) -> None:
    assert found["unlisted"] == [], "\n".join(["list these in docs/upstream.md:", *found["unlisted"]])


def test_whose_internals_are_used_is_pinned() -> None:
    """In pyproject.toml too: the locks are not what `pip install` reads."""
    pinned = {entry.partition("==")[0] for entry in REQUIREMENTS if "==" in entry}
    owners = {liberty.owner.partition(".")[0] for liberty in LIBERTIES}
    assert {owner for owner in owners if not list_makers()[owner] & pinned} == set()


@pytest.mark.parametrize(
    ("uses", "change"),
    [
        (("json.decoder.Absent",), "`json.decoder.Absent` is gone (module 'json.decoder' has no attribute 'Absent')"),
        (("absent.module",), "`absent.module` is gone (No module named 'absent')"),
        (("json.JSONEncoder", ".absent"), "`json.JSONEncoder.absent` is gone"),
        (("json.JSONEncoder", ".default(self, thing)"), "`json.JSONEncoder.default` takes (self, o) instead of (self,"),
        (("json.loads(s)",), "`json.loads` takes (s, cls, object_hook, "),
        (("json.JSONEncoder", '"no such line"'), 'the source of `json.JSONEncoder` no longer has "no such line"'),
        (("json.JSONEncoder", "what?"), "`what?` is neither a name nor a piece of source in quotes"),
    ],
)
def test_a_change_is_one_sentence(uses: tuple[str, ...], change: str) -> None:
    (sentence,) = find_changes(Liberty(uses, "", "", "", ""))
    assert sentence.startswith(change)


def test_what_has_not_changed_has_no_sentence() -> None:
    uses = ("uvicorn.server.Server", ".run(self, sockets)", ".config", '"def run("')
    assert list(find_changes(Liberty(uses, "", "", "", ""))) == []


def test_a_row_of_another_length_is_an_error() -> None:
    with pytest.raises(ValueError, match="expected 5 cells in the row of"):
        read_list("| `json` | only this |")


@pytest.mark.parametrize(
    ("code", "used"),
    [
        ("from bentoml._internal.utils import circus", "bentoml._internal.utils.circus"),
        ("import grpc\ngrpc._server.x()", "grpc._server.x"),
        ("from prometheus_client import values\nvalues.ValueClass = 1", "prometheus_client.values.ValueClass"),
        ("from uvicorn.config import LIFESPAN\nLIFESPAN['auto'] = ''", "uvicorn.config.LIFESPAN"),
        ("from locust import stats\nother: object = stats\nother.x = 1", "locust.stats.x"),
    ],
)
def test_an_internal_is_found(code: str, used: str) -> None:
    module = Module()
    module.visit(ast.parse(code))
    assert used in [name for name, _ in module.uses]


@pytest.mark.parametrize("code", ["import os\nos._exit(0)", "import numpy as np\nnp.array(1)", "from . import _x"])
def test_what_is_promised_or_ours_is_no_internal(code: str) -> None:
    module = Module()
    module.visit(ast.parse(code))
    assert module.uses == []


def test_what_a_class_inherits_is_found_unless_it_is_listed() -> None:
    module, base = Module(), "uvicorn.protocols.http.httptools_impl.HttpToolsProtocol"
    module.visit(ast.parse(f"import {base.rpartition('.')[0]}\nclass A({base}):\n  def f(self): self._get_upgrade()"))
    assert list(find_inherited(module, module.classes[0], set())) == [f"{base}._get_upgrade"]
    assert list(find_inherited(module, module.classes[0], {f"{base}._get_upgrade"})) == []
