"""One revision per file, applied in the order of their numbers."""
