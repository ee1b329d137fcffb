"""``make soak``: long runs of the long tests. Each run adds a row to ``docs/soak.md``; each failure becomes a seed in
the tests.
"""
