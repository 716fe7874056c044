"""What a problem file says for people: who owns the model, what it is for, and what it is not for."""

from pydantic import Field

from ekiben.training.source_config import Entry

MAX_LENGTH = 20_000  # characters


class CardText(Entry):
    """The parts of a model card that nobody can measure; text, in paragraphs divided by an empty line."""

    intended_use: str = Field("", max_length=MAX_LENGTH, description="what the model is for")
    limits: str = Field("", max_length=MAX_LENGTH, description="what it is not for")
    owner: str = Field("", max_length=MAX_LENGTH, description="who answers for it")
