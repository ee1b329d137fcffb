"""How long tests wait for something that must happen, even on a busy machine."""

PATIENCE_SECONDS = 120.0
"""A bound for what hangs, and no claim about how fast anything is."""
