"""What training leaves behind: runs, registered versions, the champion and its package."""
