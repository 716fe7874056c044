"""Ids of rows, by which labels come: a request's own id if it has one row, else the id, a slash and the row's number.

A caller's own id may have slashes too, so whoever looks for a request of one row looks for the whole first.
"""

MAX_DIGITS = 9


def split_row_id(row_id: bytes) -> tuple[bytes, int] | None:
    """Return the id of a request of several rows and which of them it is, None if it is of none."""
    request, _, number = row_id.rpartition(b"/")
    if not (number.isdigit() and len(number) <= MAX_DIGITS):
        return None
    row = int(number)
    return (request, row) if b"%d" % row == number else None
