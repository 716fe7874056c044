"""The log: what the service says, as text for people or as lines of JSON for machines."""
