"""How much the service carries."""
