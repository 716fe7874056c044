"""When to train again: events, the rules that decide, and who watches and listens."""
