"""A sheet of a spreadsheet, by python-calamine: its first row has the names of the columns."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import time, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa

from ekiben.contract.errors import InvalidTable
from ekiben.training.source_config import FileSource
from ekiben.training.sources.extra import import_extra
from ekiben.training.sources.files import readable
from ekiben.training.sources.source import BATCH_ROWS, check_asked, check_columns
from ekiben.training.sources.sql.values import choose_type, find_kinds, simplify, to_array


@dataclass(frozen=True)
class Sheet:
    """The rows of one sheet; a spreadsheet has a million at most, so they are held."""

    path: Path
    columns: tuple[str, ...]
    values: tuple[Sequence[Any], ...]  # of each column
    notes: tuple[str, ...]
    typed = True

    @classmethod
    def open(cls, source: FileSource) -> "Sheet":
        """Read the sheet that is named, or the first; raise InvalidTable if there is none or it is empty."""
        calamine = import_extra("python_calamine", str(source.path))
        with _sound(source.path):
            workbook = calamine.CalamineWorkbook.from_path(str(source.path))
            name = source.sheet or workbook.sheet_names[0]
            if name not in workbook.sheet_names:
                known = ", ".join(workbook.sheet_names)
                raise InvalidTable(f"{source.path} has no sheet {name!r}; it has: {known}")
            header, *rows = workbook.get_sheet_by_name(name).to_python() or [[]]
        names = check_columns(str(source.path), [str(_simplify(value)).strip() for value in header])
        others = [each for each in workbook.sheet_names if each != name]
        notes = (f"read: the sheet {name!r}; `sheet` names another: {', '.join(others)}",) if others else ()
        filled = [row for row in rows if any(value != "" for value in row)]
        columns = zip(*filled, strict=True) if filled else ([] for _ in names)
        values = tuple(simplify([_simplify(value) for value in column]) for column in columns)
        return cls(source.path, names, values, notes if source.sheet is None else ())

    @property
    def description(self) -> str:
        return str(self.path)

    @property
    def rows(self) -> int:
        return len(self.values[0])

    def batches(self, columns: Sequence[str], report: Callable[[float], None]) -> Iterator[pa.RecordBatch]:
        """Yield the rows in their order."""
        check_asked(self, columns)
        chosen = [self.values[self.columns.index(name)] for name in columns]
        arrays = [to_array(values, choose_type(find_kinds(values))) for values in chosen]
        yield from pa.table(arrays, names=list(columns)).to_batches(BATCH_ROWS)
        report(1.0)


def _simplify(value: Any) -> Any:
    """Return a cell's value: nothing if it is empty, a whole number as one, since a cell only knows floats."""
    if value == "":
        return None
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, time | timedelta):
        return str(value)
    return value


@contextmanager
def _sound(path: Path) -> Iterator[None]:
    """Turn what calamine says of damage into InvalidTable."""
    with readable(path):
        try:
            yield
        except InvalidTable:
            raise
        except Exception as error:  # calamine has an exception for every kind of file
            raise InvalidTable(f"{path} can't be read as a spreadsheet: {str(error).splitlines()[0]}") from None
