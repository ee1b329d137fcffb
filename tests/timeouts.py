"""How long tests wait for something that must happen, even on a busy machine."""

TIMEOUT_SECONDS = 120.0
"""A bound for tests that hang; it makes no claim about speed."""
