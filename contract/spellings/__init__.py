"""The one parser of cells: what a string of a table or of a caller's CSV stands for, given its column's facts."""
