"""Which versions of which models answer, and how one takes another's place."""
