"""The demo town for trying things out and for screenshots: believable people, groups, series, events and answers,
generated from a seed.
"""
