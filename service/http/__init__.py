"""HTTP: from a request's head and body to an answer, and what answers on a path."""
