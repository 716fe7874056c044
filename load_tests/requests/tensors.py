"""Rows as the columns that clients of tensor protocols send; written apart from what the service reads them with."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ekiben.contract.schema import Schema
from ekiben.contract.tensors import input_specs

Rows = Sequence[dict[str, Any]]
MISSING = {"FP32": float("nan"), "BYTES": ""}


@dataclass(frozen=True)
class Tensor:
    """One column."""

    name: str
    datatype: str
    values: list[Any]  # None where missing

    @property
    def header(self) -> dict[str, Any]:
        """What is said of it before its values; as a matrix, because Triton takes batches of nothing less."""
        return {"name": self.name, "shape": [len(self.values), 1], "datatype": self.datatype}

    @property
    def filled(self) -> list[Any]:
        """The values where nothing may be null: a missing one as the datatype spells it, a string as bytes."""
        filled = [MISSING.get(self.datatype) if value is None else value for value in self.values]
        return [str(value).encode() for value in filled] if self.datatype == "BYTES" else filled

    @property
    def raw(self) -> bytes:
        """The values in raw bytes: little-endian, a string after its length."""
        if self.datatype == "BYTES":
            return b"".join(struct.pack("<I", len(text)) + text for text in self.filled)
        return np.array(self.filled, "<f4" if self.datatype == "FP32" else "?").tobytes()


def to_columns(schema: Schema, rows: Rows) -> list[Tensor]:
    """Return a tensor for each feature."""
    return [Tensor(spec.name, spec.datatype, [row[spec.name] for row in rows]) for spec in input_specs(schema)]
