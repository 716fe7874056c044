"""What a problem file says of the rows that a package carries out of the table: `[privacy]`."""

from typing import Literal

from pydantic import Field

from ekiben.training.source_config import Entry

Carried = Literal["keep", "scramble", "omit"]


class Privacy(Entry):
    """How rows of the table get into a package: as they are, each column in an order of its own, or not at all."""

    golden: Carried = Field("keep", description="up to 256 held-out rows, whose answers every engine must give again")
    background: Carried = Field("keep", description="up to 64 training rows, which explanations begin at")
    example: Carried = Field(
        "keep", description="the row that documents and the page show; `omit` makes one up of the ranges"
    )
