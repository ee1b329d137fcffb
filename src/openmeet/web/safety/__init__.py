"""Reporting, blocking and muting."""
