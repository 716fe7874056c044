"""The process: where it runs, what it may use, and how it starts, stays alive and leaves."""
