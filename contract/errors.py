"""Errors that a user can fix: one sentence each, with what, where and how."""

from dataclasses import dataclass


class UserError(Exception):
    """A mistake outside our code; its text is the whole message a person or a client sees."""


class InvalidTable(UserError):
    """The table can't be trained on."""


class InvalidModel(UserError):
    """The model in the store is missing, damaged or gives other answers than it was packed with."""


@dataclass(frozen=True, slots=True)
class FieldError:
    """One thing wrong with the rows of a request; `row` counts from 0, None means all of them."""

    row: int | None
    field: str | None
    message: str

    def __str__(self) -> str:
        location = [] if self.row is None else [f"row {self.row}"]
        location += [] if self.field is None else [f"`{self.field}`"]
        return ": ".join([*location, self.message])


class InvalidInput(UserError):
    """The rows of a request don't fit the schema."""

    def __init__(self, *field_errors: FieldError) -> None:
        super().__init__(str(field_errors[0]))
        self.field_errors = field_errors

    def __reduce__(self) -> tuple[type["InvalidInput"], tuple[FieldError, ...]]:
        return InvalidInput, self.field_errors
