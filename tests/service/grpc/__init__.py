"""Tests of service/grpc/."""
