"""Checks whether any PDS is set up correctly, from outside, as relays, other servers and apps see it."""
