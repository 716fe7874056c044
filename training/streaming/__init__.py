"""Tables that are larger than memory: kept on disk as they are read, and trained on from there."""
