"""The command `ekiben`: every command of a model's life under one name."""
