"""What a problem file for a table could say, found out by reading the table once."""

from ekiben.training.proposal.command import init

__all__ = ["init"]
