"""Attacks on the running system through all of its interfaces, with random and hostile input."""
