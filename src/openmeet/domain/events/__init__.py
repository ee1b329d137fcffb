"""Events: content, time, place, visibility and capacity.

Invariants: an event ends after it starts; its start is the wall-clock time its host typed, read in its zone; a
cancelled event stays visible as cancelled; ``revision`` grows by one with each edit made here and with nothing else;
private and unlisted events are in no list and no search. A record from the network changes only the fields that it
carries, and enqueues nothing.
"""
