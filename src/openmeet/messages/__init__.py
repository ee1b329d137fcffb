"""What hosts write to those who answered: to whom, when, and to how many it went.

Invariants: a message goes to each person once, as news of the event and as at most one mail; to nobody who is known by a record
only; what was sent is never changed, and every message stays in the list of the event.
"""
