"""Writes a notebook about any table, runs it, and leaves script, .ipynb and page: `ekiben explore`."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from ekiben.contract.errors import UserError
from ekiben.contract.report_output import check_output
from ekiben.training.exploring.notebook import run_notebook
from ekiben.training.home import make_home
from ekiben.training.proposal.command import choose_name
from ekiben.training.proposal.file import locate
from ekiben.training.source_config import FileSource, SqlSource
from ekiben.training.sources import NOTHING, check_asked, find_source, open_source

TEMPLATE = "table.py.jinja"
FOLDER = "notebooks"
ENDINGS = (".py", ".ipynb", ".html")


class NotebookExists(UserError):
    """A notebook would be written over."""


def explore(
    table: str,
    target: str | None,
    *,
    query: str | None,
    spelling: Mapping[str, Any] = NOTHING,
    time: str | None,
    output: Path | None,
    force: bool,
) -> None:
    """Write and run a notebook about a table; raise a UserError, with nothing written, if that is impossible."""
    source = find_source(table, query, spelling)
    check_asked(open_source(source), [name for name in (target, time) if name is not None])
    folder = output or make_home() / FOLDER
    name = choose_name(source)
    files = {ending: folder / f"{name}{ending}" for ending in ENDINGS}
    there = next((file for file in files.values() if file.exists()), None)
    if there and not force:
        raise NotebookExists(f"{there} is there already: add --force to write over it, or -o another folder")
    _make_folder(folder)
    for file in files.values():
        check_output(file, "name another folder with -o")
    script = write_script(name, source, target, time, folder)
    print("exploring: this takes a minute or two …", flush=True)
    ran = run_notebook(script, name, folder)
    for ending, content in zip(ENDINGS, (script, ran.ipynb, ran.html), strict=True):
        _write(files[ending], content)
    print(f"wrote {files['.html']} to look at, {files['.ipynb']} to go on with, and {files['.py']}, which makes both")


def write_script(name: str, source: FileSource | SqlSource, target: str | None, time: str | None, folder: Path) -> str:
    """Return the notebook as a script in percent format; what is the user's is in it as Python literals."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), undefined=StrictUndefined, trim_blocks=True, autoescape=False
    )
    environment.filters["python"] = repr
    facts = source.model_dump(mode="json", exclude_defaults=True)
    if isinstance(source, FileSource):
        facts["path"] = locate(source.path, folder).as_posix()
    rendered = environment.get_template(TEMPLATE).render(name=name, source=facts, target=target, time=time)
    return rendered + "\n"


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{folder} can't be made: {error.strerror}") from None


def _write(path: Path, content: str) -> None:
    partial = path.with_name(f".{path.name}.part")
    try:
        partial.write_text(content, encoding="utf-8")
        os.replace(partial, path)
    except OSError as error:
        raise UserError(f"{path} can't be written: {error.strerror}") from None
    finally:
        partial.unlink(missing_ok=True)
