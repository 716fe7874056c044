"""An open-loop load generator: requests leave when they are due, whether or not answers come."""
