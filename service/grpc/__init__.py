"""gRPC: the server, its calls and streams, health and reflection."""
