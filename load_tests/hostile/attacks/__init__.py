"""What attacks send, a module for each kind."""
