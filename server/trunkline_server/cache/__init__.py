"""What the gateway remembers between requests, within bounds."""
