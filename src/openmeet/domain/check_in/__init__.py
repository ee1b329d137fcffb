"""Check-in: tickets with a code, and the host's list of arrivals.

A ticket's code is derived from the installation's key and not stored anywhere. On its own it grants nothing: only hosts
of the event can use it, and only to check in its holder.
"""
