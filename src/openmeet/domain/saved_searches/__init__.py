"""Saved searches: their owner is notified once of each new matching event.

The cost per event depends on how many searches share a rare term with it, not on the total number of searches or events
(see ``matching``). Events held for moderation are announced when they are shown.
"""
