"""What an image says of itself: labels, the record of its build, whose rows it carries; and how that is read again."""
