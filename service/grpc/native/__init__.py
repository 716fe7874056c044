"""gRPC on streams of HTTP/2: heads, messages and trailers as `doc/PROTOCOL-HTTP2.md` of grpc/grpc has them."""
