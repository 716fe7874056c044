"""What a problem file says of its source: which table is read, and how."""

from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, model_validator

from ekiben.contract.feature import DecimalMark

NULL = "strings that stand for missing, besides the usual"


class Entry(BaseModel):
    """A table of a problem file: what it does not know is wrong."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class BuiltInSource(Entry):
    """A table made by a module of ours."""

    loader: Literal["flights"] = Field(description="the New York flights of 2013")


class FileSource(Entry):
    """A file, a folder of Parquet files, or a Delta or Iceberg table; a relative path starts at the problem file.

    What is not said of a CSV file is found out by looking at it.
    """

    path: Path = Field(description="of the table; a relative one starts at the problem file")
    delimiter: str | None = Field(None, min_length=1, max_length=1, description="of a CSV file; default: found out")
    encoding: str | None = Field(None, description="of a CSV file, as Python names it; default: found out")
    decimal: DecimalMark = Field(".", description="of the columns of which no other is said")
    null: tuple[str, ...] = Field((), description=NULL)
    quote: Literal['"', "'", ""] | None = Field(None, description='of a CSV file, `""` for none; default: found out')
    escape: Literal['"', "'", "\\"] | None = Field(None, description="of a quote within quotes; default: found out")
    sheet: str | None = Field(None, description="of a spreadsheet; default: the first")
    version: int | None = Field(None, description="of a Delta table, or an Iceberg snapshot; default: the newest")
    as_of: datetime | None = Field(None, description="the version of that moment, in UTC if it has no offset")

    @model_validator(mode="after")
    def check_version(self) -> Self:
        """Reject two ways to say one version."""
        if self.version is not None and self.as_of is not None:
            raise ValueError("`version` and `as_of` both say which version is read: leave one out")
        return self


class SqlSource(Entry):
    """A query in a database; `$NAME` or `${NAME}` in the URL is read from the environment."""

    url: str = Field(description="of the database, as SQLAlchemy has it")
    query: str = Field(description="a SELECT, whose columns are the table's")


SOURCES = {"loader": "loader", "path": "path", "url": "url", "query": "url"}  # what tells the kinds apart


def _kind_of_source(given: Any) -> str | None:
    keys = given if isinstance(given, dict) else vars(given) if isinstance(given, Entry) else {}
    return next((SOURCES[key] for key in keys if key in SOURCES), None)


AnySource = Annotated[
    Annotated[BuiltInSource, Tag("loader")] | Annotated[FileSource, Tag("path")] | Annotated[SqlSource, Tag("url")],
    Discriminator(
        _kind_of_source,
        custom_error_type="no_source",
        custom_error_message="expected `path` of a file, or `url` and `query` of a database",
    ),
]
