"""What is left of the good answers when more is asked than can be answered."""
