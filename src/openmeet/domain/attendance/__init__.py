"""RSVPs and the waitlist.

What always holds (numbers in comments are those of docs/invariants.md): There is one row per person and event. No
seat is given beyond the event's capacity, even under concurrency (the event row is locked first); if the capacity is
lowered later, nobody loses a seat. The waitlist is first come, first served. A repeated message never takes a confirmed
seat away. Deleting one RSVP record affects that RSVP alone.
"""
