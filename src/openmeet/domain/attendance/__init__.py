"""RSVPs and the waitlist.

Invariants: one row per person and event; never more people in a place-taking status than the event has places, under
any concurrency (the event's row is locked first); whoever asked first waits first; a confirmed place is not taken
back by a repeated message; withdrawing one answer from the network touches that answer alone.
"""
