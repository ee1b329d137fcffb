"""Saved searches: whoever saved one is told of each new event that matches, once.

The cost of an event depends on how many searches share a rare term with it, not on how many searches or events there are (see
``matching``). Events that wait for a moderator are announced when they are shown.
"""
