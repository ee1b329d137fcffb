"""How long a test waits for what must happen: on a machine that does much else, too."""

PATIENCE_SECONDS = 120.0
"""A bound for what hangs, and no claim about how fast anything is."""
