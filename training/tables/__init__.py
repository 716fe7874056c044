"""From a table's strings to typed columns, and rows and files out again."""
