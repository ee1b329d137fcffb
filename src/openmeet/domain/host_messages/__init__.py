"""Messages from hosts to attendees: who gets them, when, and how many received one.

Invariants: each person gets a message once, as a notification and in at most one e-mail; people known only by a record get
none; a sent message never changes and stays in the event's list.
"""
