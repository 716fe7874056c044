"""What the service logged, and the labels that came later: live scores, and the next training table."""
