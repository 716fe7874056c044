"""The challenger in the shadow: it answers in idle time what the champion has answered, to be compared with it."""
