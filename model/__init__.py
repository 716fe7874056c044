"""The packed model: its files, its golden answers, its engine and the store; training writes it, service opens it."""
