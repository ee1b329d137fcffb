"""Messages from hosts to attendees: recipients, sending times and delivery counts.

Invariants: each person gets a message once, as a notification and in at most one e-mail. People known only from a
record get none. A sent message never changes and stays in the event's list.
"""
