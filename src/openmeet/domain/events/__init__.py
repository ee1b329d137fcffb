"""Events: content, time, place, visibility and capacity.

Invariants: An event ends after it starts. Its start is the wall-clock time its host typed, in the event's time zone. A
cancelled event stays visible as cancelled. ``revision`` is incremented by one with each edit made on this site, and
only then. Private and unlisted events are not in any list or search. A record from the network changes only the fields
that it contains, and enqueues nothing.
"""
