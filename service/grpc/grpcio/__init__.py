"""gRPC by grpcio, for who asks for it: `GRPC_SERVER=grpcio`. Nothing else of the service imports grpc."""
