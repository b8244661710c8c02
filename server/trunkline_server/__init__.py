"""Trunkline's core: the life of a completion request, and gRPC around it."""
