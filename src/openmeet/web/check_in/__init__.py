"""Tickets and the host's check-in list."""
