"""A single event: what, when, where, who may see it, and how many places it has.

Invariants: an event ends after it starts; its start is the wall-clock time its host typed, read in its zone; the slug
never changes; a cancelled event stays visible as cancelled; ``revision`` grows by one with each edit made here and
with nothing else; private and unlisted events are in no list and no search. What comes from the network changes only
the fields that a record carries, and owes nothing back.
"""
