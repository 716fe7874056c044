"""The wheel: steps with records, gates, triggers; composes training and monitoring."""
