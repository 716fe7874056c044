"""From what services saw to drift."""
