"""How long a message may be, and what is said of one that is longer."""

from dataclasses import dataclass

from ekiben.service.errors import BadRequest


@dataclass(frozen=True)
class MessageLimit:
    """The limit of a method's messages."""

    max_bytes: int
    hint: str = "send fewer rows at once"
    status: int = 429

    def make_error(self, size: int) -> BadRequest:
        """Return what a message of so many bytes gets."""
        return BadRequest(
            self.status, f"the message of {size} bytes is larger than max ({self.max_bytes}): {self.hint}"
        )
