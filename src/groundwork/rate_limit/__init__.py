"""How often something may be done: fixed windows counted per key, told to clients in ``RateLimit-*`` headers."""
