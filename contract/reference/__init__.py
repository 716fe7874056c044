"""What training saw, in counts: the reference that a service's rows are counted and compared in."""
