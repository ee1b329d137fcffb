"""RSVPs and the waitlist.

Invariants: one row per person and event. Never more people in a seat-taking status than the event has places, under any
concurrency (the row of the event is locked first). The waitlist is first come, first served. A repeated message takes
no confirmed place away. Withdrawing one RSVP record affects that RSVP alone.
"""
