"""gRPC's methods for who can't speak gRPC, browsers above all: gRPC-Web and Connect, over ordinary HTTP requests."""
