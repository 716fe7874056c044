"""Checks of a table before it is trained on, against what the last model was trained on."""
