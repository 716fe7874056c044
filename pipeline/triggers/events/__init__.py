"""What asks for a training, and how it arrives."""
