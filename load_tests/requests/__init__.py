"""What is asked: rows in every protocol, and which answers are right."""
