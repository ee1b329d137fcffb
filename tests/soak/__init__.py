"""``make soak``: the long tests for long. Each run is a row of ``docs/soak.md``; each failure becomes a seed in the tests."""
