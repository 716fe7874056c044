"""What is learned of a table before the network: the schema, the split and the target."""
