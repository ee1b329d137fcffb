"""Reporting, blocking and muting by users.

The tables belong to ``domain.moderation``; this package resolves the subject and applies the consequences.
"""
