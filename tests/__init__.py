"""Tests, in the rooms of what they test; what several of them need lies beside this file."""
