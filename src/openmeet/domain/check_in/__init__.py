"""Check-in: tickets with a code, and the host's list of arrivals.

A ticket's code is derived from the installation's key and stored nowhere. It grants nothing on its own: only hosts of
the event can use it, and only to check its holder in.
"""
