"""The service beside its baselines, its floors and other servers."""
