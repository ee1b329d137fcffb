"""The demo town for trying things out and for screenshots: plausible people, groups, series, events and answers,
generated from a seed.
"""
