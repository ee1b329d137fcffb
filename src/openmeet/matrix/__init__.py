"""The Matrix bridge: mirrors chat rooms to a homeserver. No other package calls the homeserver.

The site's own database is authoritative. If the homeserver is down, only the mirror is delayed.
"""
