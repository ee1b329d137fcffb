"""Saved searches: their owner is notified of each new matching event, once.

The cost of an event depends on how many searches share a rare term with it, not on the total of searches or events (see
``matching``). Events held for moderation are announced when they are shown.
"""
