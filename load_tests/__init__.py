"""Load tests: how much load the service carries, and how it fails beyond."""
