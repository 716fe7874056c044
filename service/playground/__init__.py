"""Answers people who try a model on its page: in idle time, and never as traffic."""
