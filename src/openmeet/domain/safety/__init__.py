"""Reporting, blocking and muting, as people do it for themselves.

The tables belong to ``domain.moderation``; this package knows which event, series, group or person is meant and what follows.
"""
