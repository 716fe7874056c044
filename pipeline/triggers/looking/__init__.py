"""What a watcher looks at: services, sources and the row log."""
