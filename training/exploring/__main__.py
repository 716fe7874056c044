"""Runs a notebook that is a script: `python -m ekiben.training.exploring notebooks/explore.py FOLDER`."""

import argparse
import sys
from pathlib import Path

from ekiben.training import process


def main(arguments: list[str] | None = None) -> None:
    """Execute the script and write .ipynb and HTML of its name into the folder."""
    parser = argparse.ArgumentParser(description="Run a notebook in percent format.")
    parser.add_argument("script", type=Path)
    parser.add_argument("folder", type=Path, help="where NAME.ipynb and NAME.html go")
    options = parser.parse_args(arguments)
    from ekiben.training.exploring.notebook import run_notebook

    name = options.script.stem
    ran = run_notebook(options.script.read_text(encoding="utf-8"), name, options.script.parent)
    options.folder.mkdir(parents=True, exist_ok=True)
    for ending, content in ((".ipynb", ran.ipynb), (".html", ran.html)):
        (options.folder / f"{name}{ending}").write_text(content, encoding="utf-8")
        print(f"wrote {options.folder / f'{name}{ending}'}")


if __name__ == "__main__":
    process.prepare_environment()
    sys.exit(process.report_errors(main, "interrupted"))
