"""Which target is tried next; pure."""
