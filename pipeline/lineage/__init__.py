"""The chain from an answer or an image down to the rows that made it, each link of it verified."""
