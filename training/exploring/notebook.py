"""Runs a notebook that is written as a script: .ipynb with its outputs, and a page that asks no other host."""

import asyncio
import contextlib
import os
import re
import signal
import tempfile
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import ipykernel  # noqa: F401  the process that cells run in: say now if it is missing
import jupytext
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbconvert import HTMLExporter

from ekiben.contract.errors import UserError

CELL_TIMEOUT_S, START_TIMEOUT_S = 900, 300  # a busy machine starts a kernel in a minute
KERNEL = "python3"
POLICY = "default-src 'none'; img-src data:; font-src data:; style-src 'unsafe-inline'; base-uri 'none'"
UNDESCRIBED = "No description has been provided for this image"
STYLE = """
main { max-width: 62rem; margin: 0 auto; padding: 1rem }
.jp-InputPrompt, .jp-OutputPrompt, .jp-OutputArea-prompt { display: none !important }
.jp-CodeCell .jp-InputArea-editor { font-size: 0.8rem; border: none !important; opacity: 0.85 }
.jp-RenderedImage img { max-width: 100%; height: auto }
.jp-OutputArea-output pre { white-space: pre-wrap; overflow-wrap: anywhere; font-size: 0.8rem }
.jp-RenderedHTMLCommon table { font-size: 0.85rem }
.jp-RenderedHTMLCommon th { text-align: start }
"""


class NotebookFailed(UserError):
    """A cell of the notebook raised an error."""


@dataclass(frozen=True)
class Ran:
    """A notebook with its outputs, as JSON and as a page."""

    ipynb: str
    html: str


def run_notebook(script: str, title: str, folder: Path) -> Ran:
    """Execute a script in percent format, its working directory the folder; raise NotebookFailed if a cell fails.

    The kernel is this Python, whatever kernels are installed, and leaves nothing in the home folder.
    """
    notebook = jupytext.reads(script, fmt="py:percent")
    for index, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{index}"  # the same notebook is to be the same file
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": KERNEL},
        "language_info": {"name": "python"},
        "title": title,
    }
    with tempfile.TemporaryDirectory(prefix="ekiben-kernel-") as state:
        execute(notebook, folder, state)
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)  # when it ran
    return Ran(jupytext.writes(notebook, fmt="ipynb"), to_page(notebook))


def execute(notebook: Any, folder: Path, state: str) -> None:
    """Run all cells in a kernel of its own, whose files are in the folder `state`."""
    specs = KernelSpecManager(kernel_dirs=[], ensure_native_kernel=True)  # the user's own `python3` may be another
    # Sockets that are files: no port, and nobody else on the machine can read along.
    manager = AsyncKernelManager(
        kernel_name=KERNEL, kernel_spec_manager=specs, connection_file=f"{state}/kernel.json", transport="ipc"
    )
    environment = os.environ | {
        "IPYTHONDIR": f"{state}/ipython",
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",  # a debugger's advice about frozen modules
    }
    client = NotebookClient(
        notebook,
        km=manager,
        kernel_name=KERNEL,
        timeout=CELL_TIMEOUT_S,
        startup_timeout=START_TIMEOUT_S,
        resources={"metadata": {"path": str(folder)}},
        extra_arguments=["--HistoryManager.enabled=False"],
    )
    try:
        asyncio.run(execute_cells(client, environment))
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None
    except CellExecutionError as error:
        raise NotebookFailed(describe_failure(notebook, error)) from None
    except CellTimeoutError:
        raise NotebookFailed(f"a cell of the notebook took longer than {CELL_TIMEOUT_S} s: try fewer rows") from None
    except DeadKernelError:
        raise NotebookFailed("the notebook's process ended early: it may have run out of memory") from None


async def execute_cells(client: NotebookClient, environment: dict[str, str]) -> None:
    """Run all cells and end their kernel, whatever comes; an interrupt cancels this.

    The client's own handlers would end the kernel and then report that it died.
    """
    task, loop = asyncio.current_task(), asyncio.get_running_loop()

    def listen(**_: Any) -> None:
        with contextlib.suppress(RuntimeError, ValueError):  # not the main thread
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.add_signal_handler(number, task.cancel if task else loop.stop)

    client.on_notebook_start = listen
    await client.async_execute(env=environment, cleanup_kc=True)


def describe_failure(notebook: Any, error: CellExecutionError) -> str:
    """Return what a cell raised; a sentence that is meant for a user stands alone."""
    cell = sum(cell.cell_type == "code" and cell.get("execution_count") is not None for cell in notebook.cells)
    message = " ".join(str(error.evalue).split())
    if error.ename in _list_names(UserError):
        return message
    return f"cell {cell} of the notebook raised {error.ename}" + (f": {message}" if message else "")


def to_page(notebook: Any) -> str:
    """Return a notebook as one HTML file without scripts, and without anything from another host."""
    page: str = HTMLExporter(template_name="lab").from_notebook_node(notebook)[0]
    for written, instead in (
        (r"<script\b.*?</script>", ""),  # formulas and diagrams, which would be fetched
        (r"<html>", '<html lang="en">'),
        (r"</head>", f'<meta http-equiv="Content-Security-Policy" content="{POLICY}"><style>{STYLE}</style></head>'),
    ):
        page = re.sub(written, instead, page, flags=re.DOTALL | re.IGNORECASE)
    outputs = (output for cell in notebook.cells for output in cell.get("outputs", ()))
    described = (output.metadata.get("image/png", {}).get("alt") for output in outputs if "metadata" in output)
    titles = filter(None, described)  # which the template leaves out
    return re.sub(f'alt="{UNDESCRIBED}"', lambda _: f'alt="{escape(next(titles, "a chart"))}"', page)


def _list_names(kind: type[Exception]) -> set[str]:
    names = {kind.__name__}
    for below in kind.__subclasses__():
        names |= _list_names(below)
    return names
