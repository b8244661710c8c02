"""The gRPC surface; knows no vendor."""
