"""Rate limits: fixed windows counted per key, reported to clients in ``RateLimit-*`` headers."""
