"""What operators see: logs (structured, redacted), metrics (one registry per program), health (alive, ready)."""
