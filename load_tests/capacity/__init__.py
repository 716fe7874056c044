"""How much one replica carries at an SLO, and how many a target needs."""
