"""Vendors and engines as data: what they speak, where they are, what is odd about them."""
