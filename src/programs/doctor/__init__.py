"""Checks whether any PDS is set up correctly, made from outside, as relays, other servers and apps see it."""
