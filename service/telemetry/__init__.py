"""What the service counts, and how all workers' counts become one."""
