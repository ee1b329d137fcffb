"""RSVPs and the waitlist.

What always holds (numbers in comments are those of docs/invariants.md): There is one row per person and event. The number
of people in a status that takes a seat never exceeds the event's capacity, even under concurrency (the event row is
locked first). The waitlist is first come, first served. A repeated message never takes a confirmed seat away. Deleting
one RSVP record affects that RSVP alone.
"""
