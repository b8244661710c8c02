"""What a request costs: the gateway beside the least that a proxy can be, on one core each. See docs/performance.md."""
