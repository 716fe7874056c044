"""Keeps a typed table once, by the digest of its content, and reads the same bits again."""

import json
import os
import uuid
from dataclasses import asdict
from pathlib import Path

import pandas as pd
import pyarrow as pa
from pyarrow import feather

from ekiben.contract.errors import InvalidTable
from ekiben.model.integrity import digest_file
from ekiben.training.home import DATA, find_data, make_folder
from ekiben.training.problem import ProblemConfig
from ekiben.training.tables.conversion import ParseFailure
from ekiben.training.tables.read import PANDAS_TYPES, Table

TABLES, ROWS, ABOUT = "tables", "table.arrow", "about.json"


def keep_table(table: Table) -> str:
    """Keep a table in the project's data, unless it is there, and return its digest."""
    make_folder(DATA)
    folder = find_data() / TABLES
    folder.mkdir(exist_ok=True)
    unfinished = folder / f".{uuid.uuid4().hex}"
    unfinished.mkdir()
    feather.write_feather(table.frame, unfinished / ROWS, compression="zstd")
    about = {
        "columns": table.columns, "absent": table.absent, "source": table.source, "notes": table.notes,
        "parse_failures": [asdict(failure) for failure in table.parse_failures],
    }  # fmt: skip
    (unfinished / ABOUT).write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
    digest = digest_file(unfinished / ROWS)
    try:
        os.rename(unfinished, folder / digest)
    except OSError:  # it is kept already
        for path in (unfinished / ROWS, unfinished / ABOUT):
            os.replace(path, folder / digest / path.name)
        unfinished.rmdir()
    return digest


def load_table(problem: ProblemConfig, digest: str) -> Table:
    """Read a kept table again; raise InvalidTable if it is gone or not as it was kept."""
    folder = find_data() / TABLES / digest
    try:
        if digest_file(folder / ROWS) != digest:
            raise InvalidTable(f"{folder / ROWS} is not the table that was kept: read the source again")
        about = json.loads((folder / ABOUT).read_bytes())
        frame = _read_frame(folder / ROWS, problem.target.name)
    except (OSError, ValueError, pa.ArrowInvalid):
        raise InvalidTable(f"the table {digest[:12]} is gone from {folder.parent}: read the source again") from None
    failures = tuple(ParseFailure(**failure) for failure in about["parse_failures"])
    lists = (tuple(about["columns"]), tuple(about["absent"]))
    return Table(frame, *lists, failures, about["source"], tuple(about["notes"]))


def _read_frame(path: Path, target: str) -> pd.DataFrame:
    frame = feather.read_table(path, memory_map=False).to_pandas(types_mapper=PANDAS_TYPES.get)
    if isinstance(frame[target].dtype, pd.CategoricalDtype):  # labels are Python's own, not NumPy's
        categories = pd.Index(frame[target].cat.categories.tolist(), dtype=object)
        frame[target] = pd.Categorical.from_codes(frame[target].cat.codes, categories)
    return frame
