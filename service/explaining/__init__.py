"""Explanations: rows of the queue's second class, in rounds, until they are exact enough or time is up."""
