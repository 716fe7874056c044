"""Where a model comes from that is not in the store yet: an MLflow registry, asked over HTTP."""
