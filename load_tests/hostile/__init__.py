"""What callers may do who wish the service ill, and what it does to the others."""
