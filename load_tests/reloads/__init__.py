"""What a version costs that is loaded beside the one that serves, and what its callers notice."""
