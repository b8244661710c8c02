"""A simulation of many requests through failing targets, which the real routing code leads."""
