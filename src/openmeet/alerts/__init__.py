"""Searches that people keep, and what is told of them: each new event that fits, once, to whoever looks for such a thing.

An event costs as much as there are searches that share something rare with it, however many searches and events there are: see
``matching``. What is told is public and shown at once; what waits for a moderator is told when it is shown.
"""
