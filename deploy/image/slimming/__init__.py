"""What an image loses as it is built: scripts that run in it, and import nothing of ours."""
