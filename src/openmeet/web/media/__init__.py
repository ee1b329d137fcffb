"""Upload and serve pictures."""
