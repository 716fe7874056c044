"""Tokens and certificates: files that are read again when they are replaced."""
