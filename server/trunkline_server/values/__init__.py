"""Values that several rooms hand to each other; they know nobody."""
