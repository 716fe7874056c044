"""What each step was made of, what it made, and what became of each run."""
