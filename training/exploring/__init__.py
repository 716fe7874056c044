"""What a notebook shows of a table: each function returns a figure, a table or a sentence."""
