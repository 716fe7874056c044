"""Makes a table of any size, 30 columns wide, as a folder of Parquet files: `python -m tests.big_table ROWS FOLDER`.

The chance of its target is known, so that a fitted network can be compared with the best there could be.
"""

import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import parquet

NUMBERS, CATEGORIES = 19, 8
PART_ROWS = 1_000_000
VALUES = 50  # of each category
STEP = 16  # of a number's values to 1: fewer bits make a smaller file
DAYS = 365

PROBLEM = """name = "big"

[source]
path = "{folder}"

[target]
name = "y"
task = "binary"

[split]
{split}

[features]
{features}
"""


def make_part(rows: int, seed: int) -> pa.Table:
    """Return some of the table's rows."""
    random = np.random.default_rng([7, seed])
    numbers = np.round(random.standard_normal((NUMBERS, rows), np.float32) * STEP) / STEP
    codes = random.integers(0, VALUES, (CATEGORIES, rows), np.int32)
    effects = np.random.default_rng(7).standard_normal((CATEGORIES, VALUES)).astype(np.float32) / 3
    flag = random.random(rows) < 0.3
    logit = numbers[0] + numbers[1] * numbers[2] + 0.5 * np.sin(3 * numbers[3]) - 1 + 0.7 * flag
    for column, effect in zip(codes, effects, strict=True):
        logit += effect[column]
    target = random.random(rows, np.float32) < 1 / (1 + np.exp(-logit))
    missing = random.random(rows, np.float32) < 0.05
    moments = np.datetime64("2025-01-01", "s") + random.integers(0, DAYS * 86_400, rows)
    names = pa.array([f"v{value:02}" for value in range(VALUES)])
    columns = {
        f"n{index:02}": pa.array(column, mask=missing if index == 5 else None) for index, column in enumerate(numbers)
    }
    columns |= {f"c{i}": pa.DictionaryArray.from_arrays(pa.array(column), names) for i, column in enumerate(codes)}
    return pa.table(columns | {"flag": pa.array(flag), "moment": pa.array(moments), "y": pa.array(target)})


def write_table(rows: int, folder: Path) -> None:
    """Write the table, part by part."""
    folder.mkdir(parents=True)
    for index, start in enumerate(range(0, rows, PART_ROWS)):
        part = make_part(min(PART_ROWS, rows - start), index)
        parquet.write_table(part, folder / f"part-{index:05}.parquet", compression="zstd", row_group_size=1 << 17)


def write_problem(folder: Path, by_time: bool = False) -> Path:
    """Write a problem file beside the table, and return its path."""
    kinds = {f"n{index:02}": "number" for index in range(NUMBERS)} | {f"c{i}": "category" for i in range(CATEGORIES)}
    kinds |= {"flag": "boolean", "moment": "timestamp"}
    features = "\n".join(f'{name} = {{ kind = "{kind}" }}' for name, kind in kinds.items())
    problem = folder.with_suffix(".toml")
    split = 'time = "moment"' if by_time else ""
    problem.write_text(PROBLEM.format(folder=folder.name, split=split, features=features))
    return problem


if __name__ == "__main__":
    write_table(int(sys.argv[1]), Path(sys.argv[2]))
    sys.stdout.write(f"{write_problem(Path(sys.argv[2]))}\n")
