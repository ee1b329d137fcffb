"""One revision per file, applied in numerical order."""
